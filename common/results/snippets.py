"""What reads an exported CSV in pandas and in R, each column in the type that its codebook names."""

from __future__ import annotations

_PANDAS = '''\
"""The exported table as a pandas DataFrame: python read_data.py, or `from read_data import data`. Needs: pip install pandas"""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
TYPES = {"text": "string", "whole number": "Int64", "number": "Float64", "true or false": "boolean"}
book = pd.read_csv(HERE / "codebook.csv", dtype="string", keep_default_na=False)
types = dict(zip(book["column"], book["type"].map(TYPES)))
# only an empty cell is missing: an answer may well be the word NA
data = pd.read_csv(HERE / "data.csv", dtype=types, keep_default_na=False, na_values=[""])

if __name__ == "__main__":
    print(data.groupby(["run", "model", "simulated"]).size())
'''
_R = """\
# The exported table as a data frame: in its folder, Rscript read_data.R, or source("read_data.R")
book <- read.csv("codebook.csv", fileEncoding = "UTF-8-BOM", colClasses = "character", na.strings = character())
types <- c("text" = "character", "whole number" = "numeric", "number" = "numeric", "true or false" = "logical")
# only an empty cell is missing: an answer may well be the word NA
data <- read.csv("data.csv", fileEncoding = "UTF-8-BOM", colClasses = unname(types[book$type]), na.strings = "", check.names = FALSE)
print(as.data.frame(table(run = data$run, model = data$model, simulated = data$simulated)))
"""
SNIPPETS = {"read_data.py": _PANDAS, "read_data.R": _R}
