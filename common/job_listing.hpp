// How jobs are listed for a person or a script.
#pragma once

#include "common/message.hpp"

#include <string>
#include <vector>

namespace rc {

struct ListedJob {
    Listed facts;
    std::string command; // its beginning
    std::string key;     // whose it is; empty: of the one who asks
};

// A row for each, oldest first, under a heading, with keys if one is named; everything of a peer's is escaped.
std::string table_of(std::vector<ListedJob> jobs);
// A JSON object for each, a line each, in the same order.
std::string json_of(std::vector<ListedJob> jobs);

} // namespace rc
