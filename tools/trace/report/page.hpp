// The parts of the page that `swage trace report` writes: files beside this one, held by the command (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace swage::tool::page {

extern const std::string_view page_html;  // with @style@, @script@ and @data@
extern const std::string_view page_css;
extern const std::string_view dom_js, plots_js, trace_plots_js, trace_section_js, page_js;  // in this order

}  // namespace swage::tool::page
