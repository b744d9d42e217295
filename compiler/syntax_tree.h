// A TOML document as plain data with places: what the parser's library found, without the library.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compiler/source_file.h"

namespace hcrc::compiler {

enum class NodeKind : std::uint8_t { text, integer, real, boolean, moment, array, table };

struct SyntaxNode {
  NodeKind kind = NodeKind::table;
  bool boolean = false;
  Place place;      // of the value
  Place key_place;  // of its key; of no file where it has none
  std::string key;  // in a table
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  std::uint32_t first_child = 0;
  std::uint32_t children = 0;  // of a table sorted by key, of an array in order
};

// All nodes of a document side by side, so that nobody has to follow it down by recursion. The root is a table.
class SyntaxTree {
 public:
  explicit SyntaxTree(std::vector<SyntaxNode> nodes) : nodes_(std::move(nodes)) {}

  const SyntaxNode& root() const { return nodes_.front(); }
  std::span<const SyntaxNode> children(const SyntaxNode& node) const {
    return std::span(nodes_).subspan(node.first_child, node.children);
  }

 private:
  std::vector<SyntaxNode> nodes_;  // the root first, the children of a node next to each other
};

}  // namespace hcrc::compiler
