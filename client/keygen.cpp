#include "client/keygen.hpp"

#include "client/failure.hpp"
#include "client/key_file.hpp"
#include "common/codec.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace rc {

namespace {

// USER@HOST, without what a key id may not hold.
std::string default_id() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const passwd* account = ::getpwuid(::geteuid());
    const std::string name =
        (account != nullptr ? account->pw_name : std::to_string(::geteuid())) + std::string("@") + host.data();
    std::string id;
    for (const char c : name) {
        id += c;
        if (!valid_key_id(id)) id.pop_back();
    }
    return id;
}

} // namespace

int keygen(const KeygenOptions& options) {
    Key key;
    if (options.line) {
        key = read_key(options.key_file);
    } else {
        key.id = options.id.empty() ? default_id() : options.id;
        if (!valid_key_id(key.id)) {
            throw Failure("usage", "--id " + key.id + ": a key id is 1 to 64 of A-Z a-z 0-9 . _ - @, not beginning with a dot");
        }
        key.secret = make_random<Secret>();
        write_key(options.key_file, key);
        std::fprintf(stderr, "The key is in %s. On the server, add this line to authorized_keys:\n", options.key_file.c_str());
    }
    const std::string line = authorized_line(key) + '\n';
    const bool written = std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (!written) {
        throw Failure("output",
            "the line could not be written to stdout; print it again with 'rcmd keygen --line', and the same -f if "
            "there was one");
    }
    return 0;
}

} // namespace rc
