#include "diagnose/report/compare_report.h"
namespace assay { std::string compare_report(const Comparison&) { return {}; } }
