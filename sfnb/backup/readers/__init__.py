"""
The readers: four ways to read an object, each by its calls.

| reader | for | cost | cursor |
|---|---|---|---|
| ``keyset`` | up to 10,000 rows | pages of 2,000 in the order of Ids; five objects share a call | the last Id |
| ``bulk2`` | more rows, or a query too long for an address | a job, polls, a call for 250,000 rows | job and locator |
| ``by_parent`` | objects that require a filter | 200 parents to a query, five queries to a call | the last parent Id |
| ``locator`` | objects whose Ids cannot be sorted | a call for each page | the next page's address |

A reader decides and does nothing: it says which units may start, what an outcome means as steps,
and what to do when
the org refuses. The scheduler runs the units and takes the steps.
"""
