// Whatever bytes arrive, at either end and in any phase: frames and messages are the same however the bytes are cut or glued; what is
// decoded encodes, and is the same when that is decoded again; what is refused is refused with an error that fits into a message.
#include "common/bytes.hpp"
#include "common/codec.hpp"
#include "common/error.hpp"
#include "common/limits.hpp"
#include "common/message_decoder.hpp"
#include "tests/fuzz/lines.hpp"
#include "tests/fuzz/require.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rc {
namespace {

constexpr std::array phases{Phase::greeting, Phase::proof, Phase::open};

// Who receives, and what the first message is decoded in.
struct Place {
    Peer self;
    std::size_t phase;
    bool goes_on; // each message leads to the next phase

    void advance(MessageDecoder& decoder) {
        if (!goes_on || phase + 1 == phases.size()) return;
        decoder.set_phase(phases.at(++phase));
    }
};

// All that a receiver learns of a piece of input.
struct Heard {
    std::vector<std::string> messages; // encoded again, with their bodies
    std::vector<std::string> headers;  // as they were received
    std::optional<ErrorCode> code;
    std::string problem;

    bool operator==(const Heard&) const = default;
};

void check_encodes(const Incoming& incoming, const Place& place) {
    const std::string frame = encode_message(incoming.message, incoming.body.size()).append(as_text(incoming.body));
    MessageDecoder decoder(place.self);
    decoder.set_phase(phases.at(place.phase));
    std::string_view rest = frame;
    std::optional<Incoming> again;
    while (!rest.empty()) {
        require(!again);
        const auto space = decoder.prepare();
        const auto piece = as_bytes(rest).first(std::min(space.size(), rest.size()));
        std::ranges::copy(piece, space.begin());
        decoder.commit(piece.size());
        rest.remove_prefix(piece.size());
        again = decoder.next();
    }
    require(again && encode_message(again->message, again->body.size()).append(as_text(again->body)) == frame);
}

// The receiver says what was wrong, in a message that its peer takes.
void check_answer(const Heard& heard) {
    ErrorMessage answer;
    answer.code = *heard.code;
    answer.message = heard.problem;
    const std::string frame = encode_message(answer);
    MessageDecoder decoder(Peer::client);
    const auto space = decoder.prepare();
    require(frame.size() <= space.size());
    std::ranges::copy(as_bytes(frame), space.begin());
    decoder.commit(frame.size());
    require(decoder.next().has_value());
}

// The sizes of the pieces that the input comes in, again and again; 0: as much as the decoder has room for.
using Cuts = std::basic_string_view<std::uint8_t>;

Heard hear(std::string_view bytes, Place place, Cuts cuts) {
    Heard heard;
    MessageDecoder decoder(place.self);
    decoder.set_phase(phases.at(place.phase));
    try {
        for (std::size_t turn = 0; !bytes.empty(); ++turn) {
            const auto space = decoder.prepare();
            const std::size_t wanted = cuts.empty() ? 0 : cuts[turn % cuts.size()];
            const std::size_t count = std::min({space.size(), bytes.size(), wanted == 0 ? space.size() : wanted});
            std::ranges::copy(as_bytes(bytes).first(count), space.begin());
            decoder.commit(count);
            bytes.remove_prefix(count);
            while (const auto incoming = decoder.next()) {
                check_encodes(*incoming, place);
                heard.headers.emplace_back(incoming->header);
                heard.messages.push_back(
                    encode_message(incoming->message, incoming->body.size()).append(as_text(incoming->body)));
                place.advance(decoder);
            }
        }
    } catch (const Error& error) {
        heard.code = error.code();
        heard.problem = error.what();
        check_answer(heard);
    }
    return heard;
}

} // namespace
} // namespace rc

// The first line: who receives (s, c), the phase (0, 1, 2), + if it goes on, r if the rest is raw bytes, and the sizes of the pieces, a
// byte each behind a comma. Then a frame a line.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = rc::as_input(data, size);
    const std::string_view head = rc::take_line(text);
    const std::size_t comma = std::min(head.find(','), head.size());
    const std::string_view words = head.substr(0, comma);
    const auto says = [&](char letter) { return words.find(letter) != words.npos; };
    const rc::Place place{says('c') ? rc::Peer::client : rc::Peer::server, says('2') ? 2U : says('1') ? 1U : 0U, says('+')};
    const rc::Cuts cuts(data + std::min(comma + 1, head.size()), head.size() - std::min(comma + 1, head.size()));

    std::string bytes;
    if (says('r')) bytes = text;
    else {
        while (!text.empty()) bytes += rc::LineFrame(rc::take_line(text)).bytes();
    }
    const rc::Heard glued = rc::hear(bytes, place, {});
    rc::require(rc::hear(bytes, place, cuts) == glued);
    constexpr std::uint8_t single = 1;
    rc::require(rc::hear(bytes, place, {&single, 1}) == glued);
    return 0;
}
