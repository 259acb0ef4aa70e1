// Here-documents: the lines behind a command line that a << in it asks for.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rc::shell {

struct HereDocument {
    std::string end;      // its last line
    bool literal = false; // a backslash joins no lines
    bool tabbed = false;  // tabs before a line do not count
};

// `word`: what stands behind << or, `tabbed`, behind <<-.
HereDocument here_document(std::string_view word, bool tabbed);

// Passes over the document whose text begins at `at`. False: it is open at the end of `text`, where `at` is then.
bool pass_over(const HereDocument& document, std::string_view text, std::size_t& at);

} // namespace rc::shell
