#include "compiler/folding.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace hcrc::compiler {

namespace {

constexpr std::uint32_t none = UINT32_MAX;

// One edge of one kind: instance `row` of one definition depends on instance `column` of another.
struct Cell {
  std::uint32_t definition = 0;  // the one that is depended on
  std::uint32_t row = 0;
  std::uint32_t column = 0;
  bool told = false;
};

class Folding {
 public:
  explicit Folding(const ServiceGraph& graph) : graph_(graph), definition_of_(graph.services.size(), none) {}

  std::vector<FoldedDefinition> run();

 private:
  void find_definitions();
  void fold_edges(std::uint32_t definition, EdgeKind kind);
  // The edges between two definitions.
  void fold_cells(std::uint32_t from, EdgeKind kind, std::span<Cell> cells);
  void columns(std::uint32_t from, EdgeKind kind, std::span<Cell> cells);
  void diagonal(std::uint32_t from, EdgeKind kind, std::span<Cell> cells);
  void rows(std::uint32_t from, std::span<Cell> cells);
  void other_diagonal(std::uint32_t from, std::span<Cell> cells);
  void fold_contents(std::uint32_t definition);

  static std::vector<std::string>& list(FoldedDefinition& definition, EdgeKind kind);
  std::size_t count(std::uint32_t definition) const { return folded_[definition].services.size(); }
  bool has_instances(std::uint32_t definition) const { return !folded_[definition].instances.empty(); }
  const std::string& name(std::uint32_t definition, std::uint32_t member) const {
    return graph_.services[folded_[definition].services[member]].name;
  }
  // The cells on the diagonal, one for each instance of `of` (the rows' definition, or the columns'); empty where one is
  // missing.
  std::vector<Cell*> on_diagonal(std::uint32_t from, std::span<Cell> cells, bool for_rows) const;

  const ServiceGraph& graph_;
  std::vector<FoldedDefinition> folded_;
  std::vector<std::uint32_t> definition_of_;  // of each service; none for the bundle of instances
  std::vector<std::uint32_t> member_of_ = std::vector<std::uint32_t>(graph_.services.size());
};

// NAME of an instance NAME@INSTANCE.
std::string_view base_name(const Service& service) {
  const std::string_view name = service.name;
  const std::string_view instance = service.instance;
  const bool is_one = !instance.empty() && name.size() > instance.size() + 1 && name.ends_with(instance) &&
                      name[name.size() - instance.size() - 1] == '@';
  return is_one ? name.substr(0, name.size() - instance.size() - 1) : name;
}

void Folding::find_definitions() {
  std::unordered_map<std::string_view, std::uint32_t> by_name;
  for (std::uint32_t i = 0; i < graph_.services.size(); ++i) {
    const Service& service = graph_.services[i];
    const std::string_view base = base_name(service);
    if (base == service.name) continue;
    const auto [at, is_new] = by_name.emplace(base, static_cast<std::uint32_t>(folded_.size()));
    if (is_new) {
      folded_.push_back({.name = std::string(base)});
    }
    FoldedDefinition& definition = folded_[at->second];
    definition_of_[i] = at->second;
    member_of_[i] = static_cast<std::uint32_t>(definition.services.size());
    definition.instances.push_back(service.instance);
    definition.services.push_back(i);
  }
  for (std::uint32_t i = 0; i < graph_.services.size(); ++i) {
    const Service& service = graph_.services[i];
    if (definition_of_[i] != none || by_name.contains(service.name)) continue;
    definition_of_[i] = static_cast<std::uint32_t>(folded_.size());
    folded_.push_back({.name = service.name, .services = {i}});
  }
}

std::vector<std::string>& Folding::list(FoldedDefinition& definition, EdgeKind kind) {
  switch (kind) {
    case EdgeKind::requires_: return definition.requires_;
    case EdgeKind::wants: return definition.wants;
    case EdgeKind::after: return definition.after;
    case EdgeKind::binds_to: return definition.binds_to;
    case EdgeKind::log_to: return definition.log_to;
  }
  return definition.after;
}

// Cells are sorted by column, then by row. All columns together are the definition's own name.
void Folding::columns(std::uint32_t from, EdgeKind kind, std::span<Cell> cells) {
  const std::uint32_t to = cells.front().definition;
  std::vector<std::uint32_t> whole;
  for (std::size_t begin = 0, end = 0; begin < cells.size(); begin = end) {
    while (end < cells.size() && cells[end].column == cells[begin].column) ++end;
    if (end - begin != count(from)) continue;
    whole.push_back(cells[begin].column);
    for (std::size_t i = begin; i < end; ++i) cells[i].told = true;
  }
  if (has_instances(to) && whole.size() == count(to) && kind != EdgeKind::log_to) {
    list(folded_[from], kind).push_back(folded_[to].name);
    return;
  }
  for (const std::uint32_t column : whole) list(folded_[from], kind).push_back(name(to, column));
}

std::vector<Cell*> Folding::on_diagonal(std::uint32_t from, std::span<Cell> cells, bool for_rows) const {
  const std::uint32_t to = cells.front().definition;
  if (!has_instances(from) || !has_instances(to)) return {};
  std::vector<Cell*> found;
  for (Cell& cell : cells) {
    if (folded_[from].instances[cell.row] == folded_[to].instances[cell.column]) found.push_back(&cell);
  }
  if (found.size() != count(for_rows ? from : to)) found.clear();
  return found;
}

bool all_told(std::span<Cell* const> cells) {
  return std::ranges::all_of(cells, [](const Cell* cell) { return cell->told; });
}

void Folding::diagonal(std::uint32_t from, EdgeKind kind, std::span<Cell> cells) {
  const auto found = on_diagonal(from, cells, true);
  if (all_told(found)) return;
  list(folded_[from], kind).push_back(folded_[cells.front().definition].name + "@");
  for (Cell* cell : found) cell->told = true;
}

void Folding::other_diagonal(std::uint32_t from, std::span<Cell> cells) {
  const auto found = on_diagonal(from, cells, false);
  if (all_told(found)) return;
  folded_[cells.front().definition].before.push_back(folded_[from].name + "@");
  for (Cell* cell : found) cell->told = true;
}

void Folding::rows(std::uint32_t from, std::span<Cell> cells) {
  const std::uint32_t to = cells.front().definition;
  std::vector<std::uint32_t> in_row(count(from)), untold(count(from));
  for (const Cell& cell : cells) {
    ++in_row[cell.row];
    untold[cell.row] += !cell.told;
  }
  for (std::uint32_t row = 0; row < in_row.size(); ++row) {
    if (in_row[row] == count(to) && untold[row] > 0) folded_[to].before.push_back(name(from, row));
  }
  for (Cell& cell : cells) cell.told = cell.told || in_row[cell.row] == count(to);
}

void Folding::fold_cells(std::uint32_t from, EdgeKind kind, std::span<Cell> cells) {
  const auto finished = [&] { return std::ranges::all_of(cells, &Cell::told); };
  columns(from, kind, cells);
  if (!finished()) diagonal(from, kind, cells);
  if (finished() || kind != EdgeKind::after) return;
  rows(from, cells);
  if (!finished()) other_diagonal(from, cells);
}

void Folding::fold_edges(std::uint32_t definition, EdgeKind kind) {
  std::vector<Cell> cells;
  for (std::uint32_t row = 0; row < count(definition); ++row) {
    for (const Edge& edge : graph_.services[folded_[definition].services[row]].edges) {
      if (!edge.kinds.has(kind) || definition_of_[edge.target] == none) continue;
      cells.push_back({.definition = definition_of_[edge.target], .row = row, .column = member_of_[edge.target]});
    }
  }
  std::ranges::sort(cells, {}, [](const Cell& cell) { return std::tie(cell.definition, cell.column, cell.row); });
  for (std::size_t begin = 0, end = 0; begin < cells.size(); begin = end) {
    while (end < cells.size() && cells[end].definition == cells[begin].definition) ++end;
    fold_cells(definition, kind, std::span(cells).subspan(begin, end - begin));
  }
}

// Contents that are all the instances of a definition are that definition.
void Folding::fold_contents(std::uint32_t definition) {
  const Service& bundle = graph_.services[folded_[definition].services.front()];
  std::unordered_map<std::uint32_t, std::uint32_t> in_definition;
  for (const std::uint32_t inner : bundle.contents) ++in_definition[definition_of_[inner]];
  for (const std::uint32_t inner : bundle.contents) {
    const std::uint32_t of = definition_of_[inner];
    if (of == none) continue;
    const bool whole = has_instances(of) && in_definition[of] == count(of);
    if (!whole) folded_[definition].contents.push_back(graph_.services[inner].name);
    if (whole && member_of_[inner] == 0) folded_[definition].contents.push_back(folded_[of].name);
  }
}

std::vector<FoldedDefinition> Folding::run() {
  find_definitions();
  for (std::uint32_t i = 0; i < folded_.size(); ++i) {
    for (const EdgeKind kind :
         {EdgeKind::requires_, EdgeKind::wants, EdgeKind::after, EdgeKind::binds_to, EdgeKind::log_to}) {
      fold_edges(i, kind);
    }
    fold_contents(i);
  }
  for (FoldedDefinition& definition : folded_) {
    for (auto* names : {&definition.contents, &definition.requires_, &definition.wants, &definition.after,
                        &definition.before, &definition.binds_to, &definition.log_to}) {
      std::ranges::sort(*names);
    }
  }
  std::ranges::sort(folded_, {}, &FoldedDefinition::name);
  return std::move(folded_);
}

}  // namespace

std::vector<FoldedDefinition> fold(const ServiceGraph& graph) { return Folding(graph).run(); }

}  // namespace hcrc::compiler
