#include "common/strict_json.hpp"

#include "common/error.hpp"
#include "common/limits.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/value_stack.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace rc {

namespace json = boost::json;

namespace {

// Builds the value, and counts the fields as they are written: the value holds fewer if one was written twice.
struct Builder {
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    // `scratch`: room for what is under way.
    explicit Builder(std::span<unsigned char> scratch) : values({}, scratch.data(), scratch.size()) {}

    json::value_stack values;
    std::size_t fields = 0;

    using ec = boost::system::error_code;
    bool on_document_begin(ec&) { return true; }
    bool on_document_end(ec&) { return true; }
    bool on_object_begin(ec&) { return true; }
    bool on_object_end(std::size_t count, ec&) { return fields += count, values.push_object(count), true; }
    bool on_array_begin(ec&) { return true; }
    bool on_array_end(std::size_t count, ec&) { return values.push_array(count), true; }
    bool on_key_part(json::string_view text, std::size_t, ec&) { return values.push_chars(text), true; }
    bool on_key(json::string_view text, std::size_t, ec&) { return values.push_key(text), true; }
    bool on_string_part(json::string_view text, std::size_t, ec&) { return values.push_chars(text), true; }
    bool on_string(json::string_view text, std::size_t, ec&) { return values.push_string(text), true; }
    bool on_number_part(json::string_view, ec&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, ec&) { return values.push_int64(number), true; }
    bool on_uint64(std::uint64_t number, json::string_view, ec&) { return values.push_uint64(number), true; }
    bool on_double(double number, json::string_view, ec&) { return values.push_double(number), true; }
    bool on_bool(bool truth, ec&) { return values.push_bool(truth), true; }
    bool on_null(ec&) { return values.push_null(), true; }
    bool on_comment_part(json::string_view, ec&) { return true; }
    bool on_comment(json::string_view, ec&) { return true; }
};

std::size_t count_kept(const json::value& value) {
    std::size_t count = 0;
    if (const auto* object = value.if_object()) {
        count = object->size();
        for (const auto& field : *object) count += count_kept(field.value());
    } else if (const auto* array = value.if_array()) {
        for (const auto& element : *array) count += count_kept(element);
    }
    return count;
}

} // namespace

json::object parse_object(std::string_view text, json::storage_ptr storage) {
    json::parse_options options;
    options.max_depth = limits::json_depth;
    std::array<unsigned char, 4096> scratch; // NOLINT: written before it is read
    json::basic_parser<Builder> parser(options, std::span<unsigned char>(scratch));
    Builder& builder = parser.handler();
    builder.values.reset(std::move(storage));
    boost::system::error_code error;
    const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
    if (!error && read < text.size()) error = json::error::extra_data;
    if (error) throw Error(ErrorCode::bad_frame, "the header is not JSON: " + error.message());
    json::value value = builder.values.release();
    if (!value.is_object()) throw Error(ErrorCode::bad_frame, "the header is not a JSON object");
    if (count_kept(value) != builder.fields) throw Error(ErrorCode::bad_frame, "the header has a field twice");
    return std::move(value.get_object());
}

} // namespace rc
