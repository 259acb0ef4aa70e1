// What must hold before a job is started: the limits of the server and of the key, and a job id that was not used before.
#pragma once

#include "common/message.hpp"
#include "server/job_slots.hpp"
#include "server/key_holder.hpp"
#include "server/service.hpp"

#include <cstddef>

namespace rc {

// Jobs that the key may have at a time.
std::size_t most_jobs(const Service& service, const KeyHolder& holder);

// Throws Error{busy} if the server has as many as it may have, server_is_ending().
void check_room(const Service& service);

// One of the places of the key. Throws Error{busy} if all are taken.
JobSlots::Slot take_slot(Service& service, const KeyHolder& holder);

// To be asked before anything that makes the client believe that its command never ran: an earlier copy of the request may have started it. Throws
// Error{restarted} if the request was made for another run of the server, and what admit_id() throws.
void check_not_begun(Service& service, const KeyHolder& holder, const Exec& exec);

// The id of a job that is about to be started is used from now on. Throws Error{conflict} if it has been before, Error{expired} if that is
// not known any more.
void admit_id(Service& service, const KeyHolder& holder, const Exec& exec);

// The same for a durable job, whose directory shows that its id is used until it is removed. Throws Error{expired}: a request that is older
// than a job that was removed may have been that one's.
void check_not_removed(Service& service, const Exec& exec);

} // namespace rc
