#include "common/strict_json.hpp"

#include "common/error.hpp"
#include "common/limits.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>

#include <cstdint>
#include <string>

namespace rc {

namespace json = boost::json;

namespace {

// Counts the fields as they are written; the parsed value holds fewer if one was written twice.
struct FieldCounter {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    std::size_t fields = 0;

    using ec = boost::system::error_code;
    bool on_document_begin(ec&) { return true; }
    bool on_document_end(ec&) { return true; }
    bool on_object_begin(ec&) { return true; }
    bool on_object_end(std::size_t, ec&) { return true; }
    bool on_array_begin(ec&) { return true; }
    bool on_array_end(std::size_t, ec&) { return true; }
    bool on_key_part(json::string_view, std::size_t, ec&) { return true; }
    bool on_key(json::string_view, std::size_t, ec&) { return ++fields, true; }
    bool on_string_part(json::string_view, std::size_t, ec&) { return true; }
    bool on_string(json::string_view, std::size_t, ec&) { return true; }
    bool on_number_part(json::string_view, ec&) { return true; }
    bool on_int64(std::int64_t, json::string_view, ec&) { return true; }
    bool on_uint64(std::uint64_t, json::string_view, ec&) { return true; }
    bool on_double(double, json::string_view, ec&) { return true; }
    bool on_bool(bool, ec&) { return true; }
    bool on_null(ec&) { return true; }
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

std::size_t count_written(std::string_view text) {
    json::basic_parser<FieldCounter> parser(json::parse_options{});
    boost::system::error_code error;
    parser.write_some(false, text.data(), text.size(), error);
    return parser.handler().fields;
}

} // namespace

json::object parse_object(std::string_view text, json::storage_ptr storage) {
    json::parse_options options;
    options.max_depth = limits::json_depth;
    boost::system::error_code error;
    json::value value = json::parse(text, error, std::move(storage), options);
    if (error) throw Error(ErrorCode::bad_frame, "the header is not JSON: " + error.message());
    if (!value.is_object()) throw Error(ErrorCode::bad_frame, "the header is not a JSON object");
    if (count_kept(value) != count_written(text)) throw Error(ErrorCode::bad_frame, "the header has a field twice");
    return std::move(value.get_object());
}

} // namespace rc
