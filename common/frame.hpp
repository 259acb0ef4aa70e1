// Frames: bytes in, frames out. A frame is a 4-byte big-endian header length, a header that is one JSON object, and a
// body of as many bytes as the header's `size` says (no `size`: no body). Knows no message's meaning and no sockets.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rc {

// A decoded frame. Both views point into the decoder and hold until its next call of next() or prepare().
struct Frame {
    std::string_view header; // the text as it was received
    std::span<const std::byte> body;
};

// Incremental: frames glued together or cut at any byte decode alike. After an Error the decoder is of no further use.
class FrameDecoder {
public:
    // Called once for each frame as soon as its header is complete and before memory is taken for its body. `header`
    // is without `size`, and its memory ends with the call; `size` is none when the header has none. Throws Error to refuse the frame.
    using CheckHeader = std::function<void(boost::json::object header, std::optional<std::uint64_t> size)>;

    // `header_limit`: bytes.
    explicit FrameDecoder(std::size_t header_limit) : header_limit_(header_limit) {}

    void set_header_limit(std::size_t bytes) { header_limit_ = bytes; }

    // Room for at least one byte to read into; for just what the frame under way still needs, if that is much: then nothing of the next one
    // has to be moved to the front.
    std::span<std::byte> prepare();

    // `size` bytes of what prepare() gave have been filled.
    void commit(std::size_t size) { end_ += size; }

    // The next whole frame, or nothing when more bytes are needed. Throws Error{bad_frame, too_large, bad_message} (the
    // last for a `size` that is no size) and what `check` throws.
    std::optional<Frame> next(const CheckHeader& check);

    // Whether there are bytes behind the frame that next() gave last.
    [[nodiscard]] bool holds_more() const { return available() > taken_; }

private:
    [[nodiscard]] std::size_t available() const { return end_ - begin_; }
    void read_header(const CheckHeader& check);
    void release_taken();

    std::size_t header_limit_;
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t taken_ = 0;         // bytes of the frame that next() gave last
    std::size_t needed_ = 4;        // bytes from begin_ that complete the current part of a frame
    std::size_t header_length_ = 0; // of the frame under way, once known
    bool header_read_ = false;
};

// The 4-byte length and the header: what goes before a body. `header` holds no `size`; it is added when `body_size` is given.
std::string encode_frame(boost::json::object header, std::optional<std::size_t> body_size);

// Appends `value` as 4 big-endian bytes.
void append_length(std::string& out, std::uint32_t value);

} // namespace rc
