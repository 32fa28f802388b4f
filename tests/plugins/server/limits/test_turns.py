"""What one caller asks for takes turns, and nobody else waits for it."""

from __future__ import annotations

import asyncio

from model_registry_server.limits.turns import Turns


def test_a_caller_has_so_much_under_way_at_once_and_others_go_past_it() -> None:
    async def main() -> tuple[list[str], int]:
        turns, order, most = Turns(2), [], 0
        under_way = 0
        go_on = asyncio.Event()

        async def work(owner: str, name: str) -> None:
            nonlocal under_way, most
            async with turns.turn(owner):
                under_way += owner == "ada"
                most = max(most, under_way)
                if owner == "ada":
                    await go_on.wait()
                order.append(name)
                under_way -= owner == "ada"

        of_ada = [asyncio.create_task(work("ada", f"ada {number}")) for number in range(5)]
        await asyncio.sleep(0)
        left = of_ada.pop(3)
        left.cancel()  # who leaves the queue takes nobody's turn
        await work("bob", "bob")
        go_on.set()
        await asyncio.gather(*of_ada)
        return order, most

    order, most = asyncio.run(asyncio.wait_for(main(), 20))
    assert order == ["bob", "ada 0", "ada 1", "ada 2", "ada 4"]
    assert most == 2
