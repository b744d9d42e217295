// The server's half of a websocket handshake (RFC 6455, section 4.2), as far as a conductor shows it to somebody who only
// knocks.
#pragma once

#include <string>
#include <string_view>

namespace stand_in {

// The answer to a whole request (all lines up to the empty one): 101 with its accept key, 400 where there is no Origin;
// empty for what offers no websocket: such a client gets no answer at all.
std::string handshake_answer(std::string_view request);

}  // namespace stand_in
