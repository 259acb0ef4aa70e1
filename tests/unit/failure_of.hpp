// How the client failed, for tables of things that must.
#pragma once

#include "client/failure.hpp"

#include <optional>
#include <string>

namespace rc {

// The Failure that `call` threw, if it threw one.
template <class Call>
std::optional<Failure> failure_of(Call&& call) {
    try {
        call();
    } catch (const Failure& failure) {
        return failure;
    }
    return std::nullopt;
}

// Code and status of that Failure, as "usage 255"; empty if there was none.
template <class Call>
std::string failed(Call&& call) {
    const auto failure = failure_of(call);
    return failure ? failure->code() + ' ' + std::to_string(failure->status()) : std::string();
}

} // namespace rc
