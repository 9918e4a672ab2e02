"""From training to a registered model that is loaded again, the way MLflow users write it.

python house_prices.py
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error

import gitml as mlflow

MODEL = "HousePricePredictor"

rng = np.random.default_rng(seed=3)
houses = pd.DataFrame({"area": rng.uniform(40, 220, size=200), "rooms": rng.uniform(1, 8, 200)})
prices = 3_200 * houses["area"] + 12_000 * houses["rooms"] + rng.normal(0, 20_000, size=200)
train, test = slice(0, 150), slice(150, 200)

mlflow.set_experiment("house prices")
mlflow.sklearn.autolog(log_models=False)  # params and training scores log themselves

with mlflow.start_run() as run:
    model = LinearRegression().fit(houses[train], prices[train])
    rmse = root_mean_squared_error(prices[test], model.predict(houses[test]))
    mlflow.log_param("rows", len(houses[train]))
    mlflow.log_metric("rmse", rmse)
    mlflow.sklearn.log_model(model, "house_price_model", input_example=houses.head(2))

version = mlflow.register_model(f"runs:/{run.info.run_id}/house_price_model", MODEL).version

loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")
wanted = pd.DataFrame({"area": [100.0], "rooms": [4.0]})
print(f"{MODEL} {version}: 100 m² with 4 rooms cost {loaded.predict(wanted)[0]:,.0f}")
