#include "common/copy/message.hpp"

#include "common/bytes.hpp"
#include "common/described_json.hpp"
#include "common/frame.hpp"
#include "common/typed_header.hpp"

namespace rc::copy {

namespace json = boost::json;

namespace {

template <class T>
bool read_as(const Row<T>& row, const std::string& type, const json::object& header, std::optional<std::uint64_t> body_size,
    std::optional<Message>& out) {
    if (row.name != type) return false;
    check_body(row.name, row.body, body_size);
    T message;
    read_fields(header, message);
    out = message;
    return true;
}

} // namespace

Message decode(json::object header, std::optional<std::uint64_t> body_size) {
    const std::string type = take_type(header);
    std::optional<Message> message;
    const bool found =
        std::apply([&](const auto&... row) { return (read_as(row, type, header, body_size, message) || ...); }, table);
    if (!found) throw Error(ErrorCode::unexpected_message, "a copy has no message '" + escape(type, longest_quote) + "'");
    return *message;
}

std::string encode(const Message& message, std::size_t body_size) {
    return std::visit(
        [&](const auto& value) {
            constexpr auto& row = std::get<Row<std::remove_cvref_t<decltype(value)>>>(table);
            json::object header;
            header.emplace("type", row.name);
            append_fields(value, header);
            return encode_frame(std::move(header), row.body ? std::optional(body_size) : std::nullopt);
        },
        message);
}

} // namespace rc::copy
