# Writes C++ that holds files as text: cmake -DOUT=… -DHEADER=… -DNAMESPACE=… -DFILES=a.css,b.js -P embed.cmake
# The text of `page.css` is `page_css`, declared in HEADER.
set(content "#include <${HEADER}>\n\nnamespace ${NAMESPACE} {\n")
string(REPLACE "," ";" files "${FILES}")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${name}" name)
  file(READ "${file}" text)
  string(APPEND content "const std::string_view ${name} = R\"embedded(${text})embedded\";\n")
endforeach()
file(WRITE "${OUT}" "${content}}\n")
