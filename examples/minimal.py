"""The least there is to it: one run with a parameter and a metric history.

python minimal.py
"""

import gitml

gitml.log_param("rounds", 20)
for step in range(20):
    gitml.log_metric("error", 0.8**step, step=step)
gitml.set_tag("purpose", "first look")
