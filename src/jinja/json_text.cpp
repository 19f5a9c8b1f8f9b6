#include "jinja/json_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "jinja/number.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

class Writer {
 public:
  Writer(Meter& meter, const JsonStyle& style) : meter_(meter), style_(style) {}

  Text run(const Value& value) {
    write(value, 1);
    return std::move(out_);
  }

 private:
  void write(const Value& value, size_t level) {
    const size_t before = out_.size();
    if (const auto* text = value.as<Text>())
      write_string(*text);
    else if (const auto* list = value.as<List>(); list && !list->is_view())
      write_list(*list, level);
    else if (const auto* dict = value.as<Dict>())
      write_dict(*dict, level);
    else if (const auto scalar = scalar_text(value))
      out_.append(*scalar);
    else
      fail("object of type " + value.type_name() + " is not JSON serializable");
    if (out_.size() > meter_.limits().string_bytes) meter_.text(out_.size());
    meter_.step(1 + (out_.size() - before) / 16);
  }

  static std::optional<std::string> scalar_text(const Value& value) {
    if (value.is_none()) return "null";
    if (const auto* b = value.as<bool>()) return *b ? "true" : "false";
    if (const auto* i = value.as<int64_t>()) return std::to_string(*i);
    if (const auto* f = value.as<double>())
      return std::isnan(*f) ? "NaN" : std::isinf(*f) ? (*f < 0 ? "-Infinity" : "Infinity") : float_repr(*f);
    return std::nullopt;
  }

  void write_escape(char32_t unit, bool from_data) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "\\u%04x", unsigned(unit));
    out_.append(buffer, from_data);
  }

  void write_string(const Text& text) {
    constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b", kLetters = "\"\\nrtfb";
    out_.append("\"");
    const std::string& bytes = text.bytes();
    size_t plain = 0;  // start of what needs no escape and is not written yet
    for (size_t i = 0; i < bytes.size();) {
      const CodePoint c = code_point_at(bytes, i);
      i = c.end;
      const size_t named = c.value < 0x80 ? kEscaped.find(char(c.value)) : std::string_view::npos;
      const bool escaped =
          c.value < 0x20 || named != std::string_view::npos || (style_.ensure_ascii && c.value > 0x7E);
      if (!escaped) continue;
      const bool from_data = text.from_data_at(c.begin);
      out_.append(text, plain, c.begin);
      plain = c.end;
      if (named != std::string_view::npos) {
        out_.append(std::string{'\\', kLetters[named]}, from_data);
      } else if (c.value >= 0x10000) {
        write_escape(0xD800 + ((c.value - 0x10000) >> 10), from_data);
        write_escape(0xDC00 + ((c.value - 0x10000) & 0x3FF), from_data);
      } else {
        write_escape(c.value, from_data);
      }
    }
    out_.append(text, plain, bytes.size());
    out_.append("\"");
  }

  void write_key(const Value& key) {
    if (const auto* text = key.as<Text>()) return write_string(*text);
    const auto scalar = scalar_text(key);
    if (!scalar) fail("keys must be str, int, float, bool or None, not " + key.type_name());
    out_.append("\"" + *scalar + "\"");
  }

  void new_line(size_t level) {
    if (!style_.indent) return;
    meter_.text(style_.indent->size() * level);
    out_.append("\n");
    for (size_t i = 0; i < level; ++i) out_.append(*style_.indent);
  }

  void write_list(const List& list, size_t level) {
    out_.append("[");
    for (const Value& item : list.items) {
      if (&item != &list.items.front()) out_.append(style_.item_separator);
      new_line(level);
      write(item, level + 1);
    }
    if (!list.items.empty()) new_line(level - 1);
    out_.append("]");
  }

  void write_dict(const Dict& dict, size_t level) {
    auto items = dict.items();
    if (style_.sort_keys)
      std::stable_sort(items.begin(), items.end(), [&](const auto& a, const auto& b) {
        return compare(meter_, a.first, b.first, "<") < 0;
      });
    out_.append("{");
    for (const auto& item : items) {
      if (&item != &items.front()) out_.append(style_.item_separator);
      new_line(level);
      write_key(item.first);
      out_.append(style_.key_separator);
      write(item.second, level + 1);
    }
    if (!items.empty()) new_line(level - 1);
    out_.append("}");
  }

  Meter& meter_;
  const JsonStyle& style_;
  Text out_;
};

class Reader {
 public:
  Reader(Meter& meter, bool is_data, const std::set<std::string>& words)
      : meter_(meter), is_data_(is_data), words_(words) {}

  Value read(const nlohmann::ordered_json& json, size_t level) {
    meter_.depth(level);
    meter_.step();
    switch (json.type()) {
      case nlohmann::ordered_json::value_t::boolean:
        return json.get<bool>();
      case nlohmann::ordered_json::value_t::number_integer:
        return json.get<int64_t>();
      case nlohmann::ordered_json::value_t::number_unsigned:
        if (json.get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max()))
          fail("integer does not fit 64 bits");
        return json.get<int64_t>();
      case nlohmann::ordered_json::value_t::number_float:
        return json.get<double>();
      case nlohmann::ordered_json::value_t::string:
        return text(json.get_ref<const std::string&>());
      case nlohmann::ordered_json::value_t::array: {
        std::vector<Value> items;
        for (const auto& item : json) items.push_back(read(item, level + 1));
        return meter_.list(std::move(items));
      }
      case nlohmann::ordered_json::value_t::object: {
        Dict dict;
        for (auto item = json.begin(); item != json.end(); ++item)
          dict.insert(meter_, text(item.key()), read(item.value(), level + 1));
        return meter_.dict(std::move(dict));
      }
      case nlohmann::ordered_json::value_t::null:
        return Value();
      case nlohmann::ordered_json::value_t::binary:
      case nlohmann::ordered_json::value_t::discarded:
        break;
    }
    fail("context holds a value that is not JSON");
  }

 private:
  Value text(const std::string& bytes) {
    return meter_.string(Text(bytes, is_data_ && !words_.contains(bytes)));
  }

  Meter& meter_;
  bool is_data_;
  const std::set<std::string>& words_;
};

}  // namespace

Value from_json(Meter& meter, const nlohmann::ordered_json& json, bool is_data,
                const std::set<std::string>& trusted_words) {
  return Reader(meter, is_data, trusted_words).read(json, 0);
}

Text to_json(Meter& meter, const Value& value, const JsonStyle& style) {
  return Writer(meter, style).run(value);
}

}  // namespace assay::jinja
