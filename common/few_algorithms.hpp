// OpenSSL made quick to start. At the first use of one cipher it sets up all it has, and so with digests, kinds of keys and decoders:
// that is a third of what a short command costs its client.
#pragma once

namespace rc {

// Lets this process have the algorithms that the connections, fingerprints and digests of this project need, and no others, and no texts
// of errors. For a client, before it uses OpenSSL in any other way, and before it has other threads that do; later calls do nothing.
// Throws Error{internal}.
void use_few_algorithms();

} // namespace rc
