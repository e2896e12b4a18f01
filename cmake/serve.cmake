# The page and the interface description, as bytes in the program.
add_executable(embed_assets "${PROJECT_SOURCE_DIR}/tools/embed_assets.c")
set(web_files "${PROJECT_SOURCE_DIR}/web/index.html" "${PROJECT_SOURCE_DIR}/web/app.css"
  "${PROJECT_SOURCE_DIR}/web/app.js" "${PROJECT_SOURCE_DIR}/web/icon.svg"
  "${PROJECT_SOURCE_DIR}/web/openapi.json")
set(assets "${PROJECT_BINARY_DIR}/generated/assets_data.c")
file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/generated")
add_custom_command(OUTPUT "${assets}" COMMAND embed_assets "${assets}" ${web_files}
  DEPENDS embed_assets ${web_files} VERBATIM)
target_sources(pn_serve PRIVATE "${assets}")
