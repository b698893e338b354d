# Code generated at build time.

# The protobuf-c reader of ONNX's own schema.
find_program(PROTOC_C protoc-c REQUIRED)
find_path(ONNX_PROTO_DIR onnx/onnx.proto PATHS /usr/include REQUIRED)
set(onnx_dir ${CMAKE_BINARY_DIR}/generated/onnx)
add_custom_command(
  OUTPUT ${onnx_dir}/onnx.pb-c.c ${onnx_dir}/onnx.pb-c.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${onnx_dir}
  COMMAND ${PROTOC_C} --proto_path=${ONNX_PROTO_DIR}/onnx --c_out=${onnx_dir} onnx.proto
  DEPENDS ${ONNX_PROTO_DIR}/onnx/onnx.proto VERBATIM)
add_library(reha_onnx_schema STATIC ${onnx_dir}/onnx.pb-c.c ${onnx_dir}/onnx.pb-c.h)
target_include_directories(reha_onnx_schema SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
target_link_libraries(reha_onnx_schema PUBLIC PkgConfig::protobufc)
if(TARGET reha_nn)
  target_link_libraries(reha_nn PRIVATE reha_onnx_schema)
endif()

# The web pages (ui/) as one C file; without npm a page that says so.
file(GLOB_RECURSE ui_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/src/* ${CMAKE_SOURCE_DIR}/ui/public/*)
set(ui_assets ${CMAKE_BINARY_DIR}/generated/web/ui_assets.c)
add_custom_command(
  OUTPUT ${ui_assets}
  COMMAND bash ${CMAKE_SOURCE_DIR}/scripts/build-ui.sh ${CMAKE_SOURCE_DIR}/ui ${CMAKE_BINARY_DIR}/ui ${ui_assets}
  DEPENDS ${ui_sources} ${CMAKE_SOURCE_DIR}/ui/index.html ${CMAKE_SOURCE_DIR}/ui/package-lock.json
          ${CMAKE_SOURCE_DIR}/ui/vite.config.js ${CMAKE_SOURCE_DIR}/ui/tsconfig.json ${CMAKE_SOURCE_DIR}/ui/embed.mjs
          ${CMAKE_SOURCE_DIR}/scripts/build-ui.sh
  COMMENT "Building the web pages" VERBATIM)
if(TARGET reha_web)
  target_sources(reha_web PRIVATE ${ui_assets})
endif()
