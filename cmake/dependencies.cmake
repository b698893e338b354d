# Libraries, all from the distribution: scripts/install-packages.sh installs them.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(png REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(jpeg REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(tiff REQUIRED IMPORTED_TARGET libtiff-4)
pkg_check_modules(pango REQUIRED IMPORTED_TARGET pangocairo cairo)
pkg_check_modules(protobufc REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(nettle REQUIRED IMPORTED_TARGET nettle)
pkg_check_modules(openjp2 REQUIRED IMPORTED_TARGET libopenjp2)
pkg_check_modules(sqlite REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(seccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(zip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)

find_library(XGBOOST_LIBRARY xgboost REQUIRED)

# Debian's own CMake package of the NIfTI library names targets that differ between versions.
find_library(NIFTI_LIBRARY nifti2 REQUIRED)
find_path(NIFTI_INCLUDE nifti2_io.h PATH_SUFFIXES nifti REQUIRED)
add_library(reha_nifti INTERFACE)
target_link_libraries(reha_nifti INTERFACE ${NIFTI_LIBRARY})
target_include_directories(reha_nifti SYSTEM INTERFACE ${NIFTI_INCLUDE})

# Debian's own CMake package of oneDNN asks for OpenCL headers, which the CPU library does not need.
find_library(DNNL_LIBRARY dnnl REQUIRED)
find_path(DNNL_INCLUDE oneapi/dnnl/dnnl.h REQUIRED)
add_library(dnnl INTERFACE)
target_link_libraries(dnnl INTERFACE ${DNNL_LIBRARY})
target_include_directories(dnnl SYSTEM INTERFACE ${DNNL_INCLUDE})

# DCMTK's own CMake package differs between distributions: link the libraries by name.
add_library(reha_dcmtk INTERFACE)
foreach(lib dcmtls dcmnet dcmjpeg ijg8 ijg12 ijg16 dcmjpls dcmtkcharls dcmimage dcmimgle dcmdata oflog ofstd)
  find_library(DCMTK_${lib} ${lib} REQUIRED)
  target_link_libraries(reha_dcmtk INTERFACE ${DCMTK_${lib}})
endforeach()
target_link_libraries(reha_dcmtk INTERFACE z)
