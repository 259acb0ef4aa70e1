// Files that decide who may do what, and where they are.
#pragma once

#include "common/descriptor.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace rc {

// The whole of a regular file that belongs to this user or root, at most `most` bytes, whose mode has none of the bits
// `forbidden` (as 022: nobody else may write it). Throws Error{internal} that says which of these failed and what to do.
std::string read_guarded(const std::filesystem::path& file, mode_t forbidden, std::size_t most);

// Creates `file` with `mode` and `content`. Throws Error{conflict} if it exists, Error{internal} if it cannot be written; then
// nothing is left of it. Missing folders above it are made.
void write_new(const std::filesystem::path& file, mode_t mode, const std::string& content);

// Brings what has been written to a file, or the names in a folder, to the disk. Returns errno, or 0.
int sync_file(const std::filesystem::path& path);

// Locks an open file, for as long as the descriptor, or what inherits it, is open. False: somebody else has it.
bool lock_open_file(int fd);

// Locks a file, which is made if it is missing, for as long as the descriptor, or what inherits it, is open; not open: somebody else
// has it. Throws Error{internal} if there can be no such file.
Descriptor try_lock(const std::filesystem::path& file);
// Whether somebody has it locked.
bool is_locked(const std::filesystem::path& file);

// What is in a folder, as far as that can be read.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& directory);

// Makes a folder and those above it that are missing, for this user only (0700). Throws Error{internal}.
void make_private_directories(const std::filesystem::path& directory);

// What HOME names, or the account's home directory when that is not set. Throws Error{internal}.
std::filesystem::path home_directory();

// A path as a user writes it: `~` and `~/…` are in the home directory.
std::filesystem::path expand_home(const std::string& path);

} // namespace rc
