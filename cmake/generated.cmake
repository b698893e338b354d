# Code generated at build time: the protobuf-c reader of ONNX's own schema.
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
