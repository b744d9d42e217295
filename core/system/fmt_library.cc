// fmt, once. Debian has it as a shared library, which a static program cannot use, or as headers alone, which made every
// file that writes text compile all of it: two seconds each.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

// What fmt/format.h expects to be made elsewhere (its own src/format.cc).
template FMT_API auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;

}  // namespace detail
FMT_END_NAMESPACE
