#include "common/typed_header.hpp"

#include "common/error.hpp"

namespace rc {

std::string take_type(boost::json::object& header) {
    const auto type = header.find("type");
    if (type == header.end()) throw Error(ErrorCode::bad_message, "field 'type' is missing");
    if (!type->value().is_string()) throw Error(ErrorCode::bad_message, "field 'type' must be a string");
    std::string name(type->value().get_string());
    header.stable_erase(type); // what read_fields() looks for stays in order
    return name;
}

void check_body(std::string_view type, std::optional<std::size_t> limit, std::optional<std::uint64_t> size) {
    if (!limit && size) throw Error(ErrorCode::bad_message, std::string(type) + " has no body, so no field 'size'");
    if (limit && !size) throw Error(ErrorCode::bad_message, "field 'size' is missing");
    if (limit && *size > *limit) {
        throw Error(ErrorCode::too_large, "a body of " + std::to_string(*size) + " bytes, more than the " +
                                              std::to_string(*limit) + " of " + std::string(type));
    }
}

} // namespace rc
