#include "server/authenticate.hpp"

#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/features.hpp"

#include <algorithm>

namespace rc {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t version = 1;

void check_hello(const Hello& hello) {
    if (!std::ranges::count(hello.versions, version)) {
        throw Error(ErrorCode::unsupported_version, "this server speaks version 1 of the protocol only");
    }
    const auto nonce = from_base64(hello.nonce);
    if (!nonce || nonce->size() != digest_size) throw Error(ErrorCode::bad_message, "field 'nonce' is not 32 bytes in base64");
}

} // namespace

asio::awaitable<void> authenticate(Channel& channel, Service& service, Login& login) {
    Incoming incoming = co_await channel.receive();
    const Hello hello = std::get<Hello>(std::move(incoming.message));
    const std::string hello_header(incoming.header);
    check_hello(hello);
    login.key_id = hello.key_id;
    login.user = hello.user;

    // Both are looked up, so that a known and an unknown key cost the same.
    const Verifier decoy = decoy_verifier(service.decoy_secret, hello.key_id);
    const auto keys = service.keys.current();
    const auto found = keys->keys.find(hello.key_id);
    const bool known = found != keys->keys.end();
    const Verifier& verifier = known ? found->second.verifier : decoy;

    Challenge challenge;
    challenge.version = version;
    login.knows_after = std::ranges::count(hello.features, feature_after) > 0;
    if (login.knows_after) challenge.features.emplace_back(feature_after);
    challenge.nonce = to_base64(make_random<Nonce>());
    challenge.salt = to_base64(verifier.salt);
    challenge.boot = service.boot;
    challenge.uptime = service.uptime();
    std::string frame = encode_message(challenge, digest_size);
    const std::string transcript = make_transcript(hello_header, std::string_view(frame).substr(4), channel.binding());
    frame += as_text(server_proof(verifier.server_key, transcript));
    co_await channel.send(frame);

    channel.set_phase(Phase::proof);
    incoming = co_await channel.receive();
    const bool proved = verify_client_proof(verifier, transcript, incoming.body);
    if (!proved || !known) throw Error(ErrorCode::auth_failed, "authentication failed");
    login.key = found->second;
    channel.set_phase(Phase::open);
}

} // namespace rc
