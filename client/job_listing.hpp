// What `rcmd jobs` prints.
#pragma once

#include "common/message.hpp"

#include <string>
#include <vector>

namespace rc {

struct ListedJob {
    Listed facts;
    std::string command; // its beginning
};

// A row for each, oldest first, under a heading; everything of the peer's is escaped.
std::string table_of(std::vector<ListedJob> jobs);
// A JSON object for each, a line each, in the same order.
std::string json_of(std::vector<ListedJob> jobs);

} // namespace rc
