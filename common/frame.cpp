#include "common/frame.hpp"

#include "common/error.hpp"
#include "common/header_memory.hpp"
#include "common/strict_json.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace rc {

namespace {

constexpr std::size_t prefix = 4;
constexpr std::size_t smallest_read = 4 * 1024;

std::uint32_t read_length(const std::byte* bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < prefix; ++i) value = (value << 8) | std::to_integer<std::uint32_t>(bytes[i]);
    return value;
}

std::optional<std::uint64_t> take_size(boost::json::object& header) {
    const boost::json::value* size = header.if_contains("size");
    if (size == nullptr) return std::nullopt;
    const bool whole = size->is_uint64() || (size->is_int64() && size->get_int64() >= 0);
    if (!whole) throw Error(ErrorCode::bad_message, "field 'size' must be a whole number that is not negative");
    const std::uint64_t value = size->to_number<std::uint64_t>();
    header.erase("size");
    return value;
}

} // namespace

std::span<std::byte> FrameDecoder::prepare() {
    release_taken();
    const std::size_t missing = needed_ > available() ? needed_ - available() : 1;
    const std::size_t room = std::max(missing, smallest_read);
    if (buffer_.size() < end_ + room) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_),
            buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
        if (buffer_.size() < end_ + room) buffer_.resize(end_ + room);
    }
    return std::span(buffer_).subspan(end_, room);
}

void FrameDecoder::release_taken() {
    begin_ += taken_;
    taken_ = 0;
    if (begin_ == end_) begin_ = end_ = 0;
}

std::optional<Frame> FrameDecoder::next(const CheckHeader& check) {
    release_taken();
    if (header_length_ == 0) {
        if (available() < prefix) return std::nullopt;
        const std::size_t length = read_length(buffer_.data() + begin_);
        if (length == 0) throw Error(ErrorCode::bad_frame, "a frame without a header");
        if (length > header_limit_) {
            throw Error(ErrorCode::too_large,
                "a header of " + std::to_string(length) + " bytes, more than " + std::to_string(header_limit_));
        }
        header_length_ = length;
        needed_ = prefix + length;
    }
    if (available() < needed_) return std::nullopt;
    if (!header_read_) read_header(check);
    if (available() < needed_) return std::nullopt;

    const std::byte* start = buffer_.data() + begin_;
    const std::size_t before_body = prefix + header_length_;
    Frame frame{{reinterpret_cast<const char*>(start + prefix), header_length_}, {start + before_body, needed_ - before_body}};
    taken_ = needed_;
    needed_ = prefix;
    header_length_ = 0;
    header_read_ = false;
    return frame;
}

void FrameDecoder::read_header(const CheckHeader& check) {
    const std::string_view text(reinterpret_cast<const char*>(buffer_.data() + begin_ + prefix), header_length_);
    HeaderMemory memory;
    boost::json::object header = parse_object(text, memory.storage());
    const std::optional<std::uint64_t> size = take_size(header);
    check(std::move(header), size);
    needed_ += static_cast<std::size_t>(size.value_or(0));
    header_read_ = true;
}

void append_length(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(static_cast<unsigned char>(value >> shift)));
}

std::string encode_frame(boost::json::object header, std::optional<std::size_t> body_size) {
    if (body_size) header.emplace("size", *body_size);
    const std::string text = boost::json::serialize(header);
    std::string frame;
    frame.reserve(prefix + text.size());
    append_length(frame, static_cast<std::uint32_t>(text.size()));
    return frame += text;
}

} // namespace rc
