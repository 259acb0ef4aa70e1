#include "client/connection.hpp"

#include "client/exit_status.hpp"
#include "client/failure.hpp"
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/described_json.hpp"
#include "common/features.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rc {

namespace {

constexpr std::uint64_t version = 1;

Challenge take_challenge(Message& message) {
    if (const auto* error = std::get_if<ErrorMessage>(&message)) throw to_failure(*error, Ran::no);
    Challenge challenge = std::get<Challenge>(std::move(message));
    if (challenge.version != version)
        throw Error(ErrorCode::unsupported_version, "it chose a version of the protocol that was not offered");
    if (std::ranges::any_of(challenge.features, [](const std::string& name) { return name != feature_after; }))
        throw Error(ErrorCode::bad_message, "it chose a feature that was not offered");
    return challenge;
}

Salt read_salt(const std::string& text) {
    const auto bytes = from_base64(text);
    Salt salt;
    if (!bytes || bytes->size() != salt.size()) throw Error(ErrorCode::bad_message, "field 'salt' is not 16 bytes in base64");
    std::ranges::copy(*bytes, salt.begin());
    return salt;
}

} // namespace

asio::awaitable<void> Connection::secure(const Key& key, const std::string& user, HostCheck& host) {
    co_await channel.handshake();
    host.check(channel.peer_fingerprint());
    Hello hello;
    hello.versions = {version};
    hello.features.emplace_back(feature_after);
    hello.key_id = key.id;
    hello.user = user;
    hello.nonce = to_base64(make_random<Nonce>());
    const std::string frame = encode_message(hello);
    co_await channel.send(frame);

    Incoming incoming = co_await channel.receive();
    const std::string transcript = make_transcript(std::string_view(frame).substr(4), incoming.header, channel.binding());
    const std::vector<std::byte> shown(incoming.body.begin(), incoming.body.end());
    const Challenge challenge = take_challenge(incoming.message);
    const ClientKeys keys = derive_keys(key.secret, read_salt(challenge.salt));
    if (!equal(server_proof(keys.server_key, transcript), shown)) {
        throw Failure("auth_failed",
            "authentication failed: the server does not know the key '" + key.id +
                "', knows another one by that name, or is not the host it claims to be; to let this key in, add the line "
                "that 'rcmd keygen --line' prints (with -f FILE for another key than the usual one) to authorized_keys there");
    }
    run = {challenge.boot, challenge.uptime, !challenge.features.empty()};
    channel.set_phase(Phase::proof);
    proof = client_proof(keys, transcript);
}

} // namespace rc
