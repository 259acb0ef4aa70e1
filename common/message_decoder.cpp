#include "common/message_decoder.hpp"

#include "common/codec.hpp"

#include <utility>

namespace rc {

void MessageDecoder::set_phase(Phase phase) {
    phase_ = phase;
    if (phase == Phase::open) frames_.set_header_limit(limits::header);
}

std::optional<Incoming> MessageDecoder::next() {
    const FrameDecoder::CheckHeader check = [this](boost::json::object header, std::optional<std::uint64_t> size) {
        message_ = decode_message(std::move(header), size, sender_, phase_);
    };
    const std::optional<Frame> frame = frames_.next(check);
    if (!frame) return std::nullopt;
    return Incoming{std::move(*message_), frame->header, frame->body};
}

} // namespace rc
