"""The models that are compared: each a pipeline, so that all is fitted on training rows alone."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from soc.intelligence.models.task import Kind

Model = Any
"""A scikit-learn estimator; its package has no types."""
THREADS = 1


def available() -> dict[str, str]:
    """Return the models of this installation, each with what stands behind its name."""
    told = dict(ABOUT)
    if not has_xgboost():
        told["xgboost"] = "HistGradientBoosting, since the extra ml with XGBoost is not installed"
    return told


def has_xgboost() -> bool:
    """Return whether XGBoost is installed: the extra ml."""
    from importlib.util import find_spec

    return find_spec("xgboost") is not None


def make(name: str, kind: Kind, seed: int) -> Model:
    """Return the model called *name*, unfitted.

    Missing values become the median of the training rows, with a column that says so: trees and
    distances see what was missing, and the card tells.
    """
    from sklearn.impute import SimpleImputer  # heavy: only where models are made
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), MAKERS[name](kind, seed))


def _lasso(kind: Kind, seed: int) -> Model:
    from sklearn.linear_model import Lasso, LogisticRegression

    if kind is Kind.REGRESSION:
        return Lasso(alpha=0.01, max_iter=20_000, random_state=seed)
    return LogisticRegression(l1_ratio=1.0, C=0.5, solver="liblinear", random_state=seed)


def _ridge(kind: Kind, seed: int) -> Model:
    from sklearn.linear_model import LogisticRegression, Ridge

    if kind is Kind.REGRESSION:
        return Ridge(alpha=1.0, random_state=seed)
    return LogisticRegression(C=0.5, solver="newton-cholesky", random_state=seed)


def _svm(kind: Kind, seed: int) -> Model:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC, SVR

    if kind is Kind.REGRESSION:
        return SVR()
    return CalibratedClassifierCV(SVC(random_state=seed), cv=3, ensemble=False)


def _knn(kind: Kind, seed: int) -> Model:  # noqa: ARG001 - nothing is drawn
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    made = KNeighborsRegressor if kind is Kind.REGRESSION else KNeighborsClassifier
    return made(n_neighbors=15)


def _mlp(kind: Kind, seed: int) -> Model:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    made = MLPRegressor if kind is Kind.REGRESSION else MLPClassifier
    return made(
        hidden_layer_sizes=(32, 16),
        alpha=0.01,
        early_stopping=True,
        max_iter=300,
        random_state=seed,
    )


def _forest(kind: Kind, seed: int) -> Model:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    made = RandomForestRegressor if kind is Kind.REGRESSION else RandomForestClassifier
    return made(n_estimators=200, min_samples_leaf=3, n_jobs=THREADS, random_state=seed)


def _boosting(kind: Kind, seed: int) -> Model:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = (
        HistGradientBoostingRegressor if kind is Kind.REGRESSION else HistGradientBoostingClassifier
    )
    return made(max_iter=100, learning_rate=0.1, max_depth=5, random_state=seed)


def _xgboost(kind: Kind, seed: int) -> Model:
    if not has_xgboost():
        return _boosting(kind, seed)
    from xgboost import XGBClassifier, XGBRegressor  # the extra ml

    made = XGBRegressor if kind is Kind.REGRESSION else XGBClassifier
    return made(n_estimators=100, max_depth=5, learning_rate=0.1, n_jobs=THREADS, random_state=seed)


MAKERS: Mapping[str, Callable[[Kind, int], Model]] = MappingProxyType(
    {
        "lasso": _lasso,
        "ridge": _ridge,
        "svm": _svm,
        "knn": _knn,
        "mlp": _mlp,
        "random-forest": _forest,
        "xgboost": _xgboost,
    }
)
ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "lasso": "least squares with an L1 penalty; logistic L1 for classes",
        "ridge": "least squares with an L2 penalty; logistic L2 for classes",
        "svm": "support vectors with an RBF kernel, calibrated by Platt's method",
        "knn": "the 15 nearest neighbours",
        "mlp": "two hidden layers of 32 and 16, stopped early",
        "random-forest": "200 trees, at least three rows in a leaf",
        "xgboost": "XGBoost, 100 trees of depth 5",
    }
)
