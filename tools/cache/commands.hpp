// The commands of `swage cache`.
#pragma once

#include <CLI/CLI.hpp>

namespace swage::tool {

void add_cache_ls(CLI::App& cache);
void add_cache_show(CLI::App& cache);
void add_cache_verify(CLI::App& cache);
void add_cache_gc(CLI::App& cache);
void add_cache_export(CLI::App& cache);
void add_cache_import(CLI::App& cache);
void add_cache_clear(CLI::App& cache);

void list_cache(bool json, bool code);  // `swage cache ls`

}  // namespace swage::tool
