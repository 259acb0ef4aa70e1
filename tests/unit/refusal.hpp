// How a call was refused, for tables of things that must be.
#pragma once

#include "common/described_json.hpp"
#include "common/error.hpp"

#include <string>

namespace rc {

// The name of the code of the Error that `call` threw; empty if it threw none.
template <class Call>
std::string refusal(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return std::string(to_string(error.code()));
    }
    return {};
}

} // namespace rc
