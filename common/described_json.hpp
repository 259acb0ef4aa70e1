// Described structs to JSON and back, strictly: every member that is not std::optional must be there, nothing else may
// be, each has exactly its type. Boost.JSON's own conversion differs between versions in all three, so the rule is ours.
#pragma once

#include "common/bytes.hpp"
#include "common/error.hpp"

#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace rc {

template <class T>
concept Enumeration = std::is_enum_v<T>;

template <class T>
concept Described = boost::describe::has_describe_members<T>::value;

// A member or enumerator that would clash with a macro or keyword carries one trailing underscore in C++.
constexpr std::string_view wire_name(std::string_view name) {
    if (name.ends_with('_')) name.remove_suffix(1);
    return name;
}

template <Enumeration E>
std::string_view to_string(E value) {
    return wire_name(boost::describe::enum_to_string(value, ""));
}

// The enumerator of that wire name, or nothing.
template <Enumeration E>
std::optional<E> from_string(std::string_view name) {
    std::optional<E> found;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
        if (wire_name(d.name) == name) found = d.value;
    });
    return found;
}

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;

[[noreturn]] inline void mistyped(std::string_view field, std::string_view wanted) {
    throw Error(ErrorCode::bad_message, "field '" + std::string(field) + "' must be " + std::string(wanted));
}

} // namespace detail

// Where the fields of what is made live.
using Storage = boost::json::storage_ptr;

inline boost::json::value to_json(bool value, const Storage& storage) { return boost::json::value(value, storage); }
inline boost::json::value to_json(std::uint64_t value, const Storage& storage) { return boost::json::value(value, storage); }
inline boost::json::value to_json(const std::string& value, const Storage& storage) {
    return boost::json::string(value, storage);
}

template <Enumeration E>
boost::json::value to_json(E value, const Storage& storage) {
    return boost::json::string(to_string(value), storage);
}

template <class T>
boost::json::value to_json(const std::vector<T>& values, const Storage& storage) {
    boost::json::array array(storage);
    for (const auto& value : values) array.push_back(to_json(value, storage));
    return array;
}

// Appends the members of a described struct to `object`, absent optionals left out.
template <class T>
void append_fields(const T& value, boost::json::object& object);

template <Described T>
boost::json::value to_json(const T& value, const Storage& storage) {
    boost::json::object object(storage);
    append_fields(value, object);
    return object;
}

template <class T>
void append_fields(const T& value, boost::json::object& object) {
    object.reserve(object.size() + boost::mp11::mp_size<detail::Members<T>>::value + 1); // a body's size comes last
    boost::mp11::mp_for_each<detail::Members<T>>([&](auto member) {
        const auto& field = value.*member.pointer;
        if constexpr (detail::is_optional<std::remove_cvref_t<decltype(field)>>) {
            if (field) object.emplace(wire_name(member.name), to_json(*field, object.storage()));
        } else {
            object.emplace(wire_name(member.name), to_json(field, object.storage()));
        }
    });
}

inline void from_json(const boost::json::value& json, std::string_view name, bool& out) {
    if (!json.is_bool()) detail::mistyped(name, "true or false");
    out = json.get_bool();
}

// Numbers are whole and from 0 to 2^64-1; 1.0 and 1e3 are not numbers of this protocol.
inline void from_json(const boost::json::value& json, std::string_view name, std::uint64_t& out) {
    if (json.is_uint64()) out = json.get_uint64();
    else if (json.is_int64() && json.get_int64() >= 0) out = static_cast<std::uint64_t>(json.get_int64());
    else detail::mistyped(name, "a whole number that is not negative");
}

inline void from_json(const boost::json::value& json, std::string_view name, std::string& out) {
    if (!json.is_string()) detail::mistyped(name, "a string");
    out = json.get_string();
}

template <Enumeration E>
void from_json(const boost::json::value& json, std::string_view name, E& out) {
    if (!json.is_string()) detail::mistyped(name, "a string");
    const auto value = from_string<E>(json.get_string());
    if (!value) detail::mistyped(name, "one of the names that the protocol lists");
    out = *value;
}

template <class T>
void from_json(const boost::json::value& json, std::string_view name, std::vector<T>& out) {
    if (!json.is_array()) detail::mistyped(name, "an array");
    for (const auto& element : json.get_array()) from_json(element, name, out.emplace_back());
}

// Reads a described struct; throws Error{bad_message} that names the first field that is missing, extra or mistyped.
template <class T>
void read_fields(const boost::json::object& object, T& out);

template <Described T>
void from_json(const boost::json::value& json, std::string_view name, T& out) {
    if (!json.is_object()) detail::mistyped(name, "an object");
    read_fields(json.get_object(), out);
}

template <class T>
void read_fields(const boost::json::object& object, T& out) {
    std::size_t taken = 0;
    auto find = [&, next = object.begin()](std::string_view name) mutable -> const boost::json::value* {
        if (next == object.end() || next->key() != name) return object.if_contains(name);
        return &(next++)->value(); // mostly they come in our own order
    };
    boost::mp11::mp_for_each<detail::Members<T>>([&](auto member) {
        auto& field = out.*member.pointer;
        const std::string_view name = wire_name(member.name);
        const boost::json::value* json = find(name);
        if constexpr (detail::is_optional<std::remove_cvref_t<decltype(field)>>) {
            if (json == nullptr) return;
            from_json(*json, name, field.emplace());
        } else {
            if (json == nullptr) throw Error(ErrorCode::bad_message, "field '" + std::string(name) + "' is missing");
            from_json(*json, name, field);
        }
        ++taken;
    });
    if (taken == object.size()) return;
    for (const auto& entry : object) {
        bool known = false;
        boost::mp11::mp_for_each<detail::Members<T>>(
            [&](auto member) { known = known || wire_name(member.name) == std::string_view(entry.key()); });
        if (!known) throw Error(ErrorCode::bad_message, "unknown field '" + escape(entry.key(), longest_quote) + "'");
    }
}

} // namespace rc
