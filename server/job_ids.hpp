// Which job ids have been used, so that no request is ever executed twice. No sockets, no Asio.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>

namespace rc {

// The ids of this run of the daemon, each key's its own. Remembers the latest `most`; of the ones before that it knows only
// when the last of them arrived, which is enough to refuse every request that may be older. Any thread may call.
class JobIds {
public:
    enum class Answer { fresh, known, expired };

    // `most`: ids to remember.
    explicit JobIds(std::size_t most) : most_(most) {}

    // Asks whether job `id` of `key` may be started, and remembers it if the answer is fresh. `seen` is the server's clock
    // as the client knew it before it first sent the request, `now` the clock now: both milliseconds since the start.
    Answer admit(const std::string& key, const std::string& id, std::uint64_t seen, std::uint64_t now);
    // The same question, and nothing is remembered.
    Answer look(const std::string& key, const std::string& id, std::uint64_t seen);

private:
    // A digest of key and id, of which a million fit into 80 MB.
    using Name = std::array<std::byte, 16>;
    struct Hash {
        std::size_t operator()(const Name& name) const;
    };
    static Name name_of(const std::string& key, const std::string& id);
    [[nodiscard]] Answer answer(const Name& name, std::uint64_t seen) const;

    std::mutex mutex_;
    std::size_t most_;
    std::unordered_map<Name, std::uint64_t, Hash> arrivals_;
    std::deque<Name> oldest_first_;
    bool forgot_ = false;
    std::uint64_t forgotten_until_ = 0;
};

} // namespace rc
