#include "client/known_hosts.hpp"

#include "client/failure.hpp"
#include "common/bytes.hpp"
#include "common/descriptor.hpp"
#include "common/error.hpp"
#include "common/files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace rc {

namespace {

constexpr std::string_view blanks = " \t";
constexpr mode_t others_write = 022;
constexpr std::size_t largest_file = 4 * 1024 * 1024;

// The first word; `text` begins behind it then.
std::string_view take_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    return word;
}

std::string read_text(const std::filesystem::path& file) {
    try {
        return read_guarded(file, others_write, largest_file);
    } catch (const Error& error) {
        throw Failure("config", error.what());
    }
}

// Only what is certainly missing is taken for a file without lines.
bool is_missing(const std::filesystem::path& file) {
    std::error_code ignored;
    return std::filesystem::status(file, ignored).type() == std::filesystem::file_type::not_found;
}

} // namespace

bool valid_host_name(std::string_view name) {
    const auto is_blank = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
    return !name.empty() && name.front() != '#' && std::ranges::none_of(name, is_blank);
}

std::vector<KnownHost> parse_known_hosts(std::string_view text, const std::filesystem::path& file) {
    std::vector<KnownHost> hosts;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::string_view name = take_word(line);
        if (name.empty() || name.front() == '#') continue;
        const auto fingerprint = parse_fingerprint(take_word(line));
        if (!fingerprint || !valid_host_name(name) || !take_word(line).empty())
            throw Failure("config", file.string() + ':' + std::to_string(number) +
                                        ": not 'HOST:PORT SHA256:FINGERPRINT'; correct or remove that line");
        hosts.push_back({to_lower(name), *fingerprint, file, number});
    }
    return hosts;
}

Lookup look_up(const std::vector<KnownHost>& hosts, std::string_view name, const Fingerprint& shown) {
    const std::string lower = to_lower(name);
    Lookup lookup;
    for (const KnownHost& host : hosts) {
        if (host.name != lower) continue;
        if (host.fingerprint == shown) lookup.known = true;
        else lookup.others.push_back(host);
    }
    return lookup;
}

std::string known_hosts_line(std::string_view name, const Fingerprint& fingerprint) {
    return to_lower(name).append(1, ' ').append(to_text(fingerprint)).append(1, '\n');
}

std::vector<KnownHost> read_known_hosts(const std::vector<std::filesystem::path>& files) {
    std::vector<KnownHost> all;
    for (const auto& file : files) {
        if (file == no_file || is_missing(file)) continue;
        const std::vector<KnownHost> hosts = parse_known_hosts(read_text(file), file);
        all.insert(all.end(), hosts.begin(), hosts.end());
    }
    return all;
}

std::optional<Lookup> add_known_host(const std::filesystem::path& file, const std::string& name, const Fingerprint& shown) {
    make_private_directories(file.parent_path());
    const Descriptor lock = try_lock(file);
    if (!lock.is_open()) return std::nullopt;
    const std::string text = read_text(file); // another process may have been quicker
    Lookup lookup = look_up(parse_known_hosts(text, file), name, shown);
    if (lookup.known || !lookup.others.empty()) return lookup;
    std::string line = known_hosts_line(name, shown);
    if (!text.empty() && text.back() != '\n') line.insert(0, 1, '\n');
    const auto end = static_cast<off_t>(text.size());
    ::lseek(lock.get(), end, SEEK_SET);
    const int problem = write_all(lock.get(), as_bytes(line));
    if (problem != 0) {
        const bool cut = ::ftruncate(lock.get(), end) == 0; // half a line would be a broken one
        throw Error(
            ErrorCode::internal, file.string() + ": " + std::strerror(problem) + (cut ? "" : "; its last line is broken"));
    }
    lookup.known = true;
    return lookup;
}

} // namespace rc
