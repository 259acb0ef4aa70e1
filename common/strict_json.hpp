// One JSON object from text that nobody vouches for.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/storage_ptr.hpp>

#include <string_view>

namespace rc {

// Throws Error{bad_frame} unless `text` is exactly one JSON object in UTF-8, nested no deeper than limits::json_depth, in
// which no object has two fields of the same name (RFC 8259 section 4 leaves that open; Boost.JSON would keep the last). The
// object lives in `storage`.
boost::json::object parse_object(std::string_view text, boost::json::storage_ptr storage = {});

} // namespace rc
