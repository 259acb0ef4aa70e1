// Options of libFuzzer that a target cannot do without.
#pragma once

#include <deque>
#include <string>
#include <vector>

namespace rc {

// To be called in LLVMFuzzerInitialize, with its parameters.
inline void add_fuzzer_option(int* argc, char*** argv, const std::string& option) {
    static std::deque<std::string> options;
    static std::vector<char*> words;
    words.assign(*argv, *argv + *argc);
    words.push_back(options.emplace_back(option).data());
    words.push_back(nullptr);
    *argc += 1;
    *argv = words.data();
}

} // namespace rc
