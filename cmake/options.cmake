# Compiler options shared by all targets.
add_library(reha_options INTERFACE)
target_compile_definitions(reha_options INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE
                           REHA_VERSION="${PROJECT_VERSION}")
target_compile_options(reha_options INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wformat=2 -Wundef -fno-common
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wvla>)
# Texts are cut on purpose where they do not fit; the compiler's guess depends on the optimisation.
target_compile_options(reha_options INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>)
if(REHA_WERROR)
  target_compile_options(reha_options INTERFACE -Werror)
endif()
if(REHA_SANITIZE)
  target_compile_options(reha_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer -g)
  # The check of virtual tables asks the system about memory, which a locked-in process may not do.
  target_compile_options(reha_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
  target_link_options(reha_options INTERFACE -fsanitize=address,undefined)
endif()
if(REHA_FUZZ)
  target_compile_options(reha_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
