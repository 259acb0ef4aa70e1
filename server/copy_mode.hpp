// The far end of `rcmd cp`: a process of this program that runs as the command's user, with the copy's messages (common/copy) on its
// stdin and stdout.
#pragma once

namespace rc {

// The subsystems: `copy-send FLAGS SOURCE…` and `copy-receive FLAGS TARGET NAME…`. FLAGS is - or letters: r directories, p modes and times are
// kept, d the target must be a directory.
// Both return the exit status: 0 when all has been said, also of what could not be copied.
int copy_send(int argc, char** argv);
// A signal HUP, INT or TERM ends it in good order: what has come in whole is put into place.
int copy_receive(int argc, char** argv);

} // namespace rc
