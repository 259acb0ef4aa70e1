// What Tab does: asks the server how the word at the cursor can go on, and changes the line.
#pragma once

#include "client/line_editor.hpp"
#include "client/link.hpp"
#include "client/remote_job.hpp"

namespace rc {

// The editor's state is `completing`. `where` has the directory and environment in which the completed command would run. May be
// cancelled; then, or if the server has no answer within 2 s, the line stays as it is.
asio::awaitable<void> complete_word(Link& link, LineEditor& editor, JobRequest where);

} // namespace rc
