// Whatever words the client is started with, in each of its forms: they are taken, refused, or answered by a text and an exit status; what
// is taken keeps the promises that the rest of the client relies on.
#include "client/failure.hpp"
#include "client/options.hpp"
#include "client/settings.hpp"
#include "common/codec.hpp"
#include "common/signal_name.hpp"
#include "tests/fuzz/fuzzer_option.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rc {
namespace {

using Words = std::vector<std::string>;

// As argv has them: each ends at a NUL.
Words words_of(std::string_view text) {
    Words words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\0'), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

void check(const ClientOptions& options) {
    require(!options.target.host.empty() && options.port != 0);
    require(options.job.empty() || valid_job_id(options.job));
    require(options.keep.count() >= 0);
    require(!options.timeout || options.timeout->count() > 0);
    require(!options.connect_timeout || options.connect_timeout->count() > 0);
    require(options.jobs >= 1 && options.unknown_status >= 1 && options.unknown_status <= 255);
    require(signal_number(options.signal).has_value());
    for (const std::string& assignment : options.environment) require(name_of_assignment(assignment).has_value());
}

void check(const CopyOptions& options) {
    require(!options.steps.empty());
    for (const CopyStep& step : options.steps) {
        require(!step.sources.empty() && (step.from || step.to));
        if (step.from) check(*step.from);
        if (step.to) check(*step.to);
    }
}

void check(const KeygenOptions& options) { require(!options.key_file.empty()); }

template <class Options, class Parse>
void try_parse(const Parse& parse, Words words) {
    static const std::set<std::string> codes{"usage", "config"};
    try {
        Options options;
        const std::optional<int> status = parse(std::move(words), options);
        if (status) require(*status == 0);
        else check(options);
    } catch (const Failure& failure) {
        require(codes.contains(failure.code()) && failure.ran() == Ran::no);
    }
}

} // namespace
} // namespace rc

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    rc::add_fuzzer_option(argc, argv, "-close_fd_mask=3"); // what the client prints; libFuzzer and the sanitizers still write
    ::clearenv();
    ::setenv("HOME", "/nonexistent", 1); // no configuration of whoever runs this
    ::setenv("LANG", "C.UTF-8", 1);
    return 0;
}

// The first byte is the form, the rest its words.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const rc::Words words = rc::words_of(rc::as_input(data + 1, size - 1));
    const auto verb = [](rc::Verb which) {
        return [which](rc::Words given, rc::ClientOptions& options) {
            return rc::parse_verb_options(which, std::move(given), options);
        };
    };
    const auto run = [](rc::Words given, rc::ClientOptions& options) { return rc::parse_options(std::move(given), options); };
    switch (*data) {
    case 'j': rc::try_parse<rc::ClientOptions>(verb(rc::Verb::jobs), words); break;
    case 'a': rc::try_parse<rc::ClientOptions>(verb(rc::Verb::attach), words); break;
    case 'k': rc::try_parse<rc::ClientOptions>(verb(rc::Verb::kill), words); break;
    case 'c': rc::try_parse<rc::CopyOptions>(rc::parse_copy_options, words); break;
    case 'g': rc::try_parse<rc::KeygenOptions>(rc::parse_keygen_options, words); break;
    default: rc::try_parse<rc::ClientOptions>(run, words); break;
    }
    return 0;
}
