"""The hierarchy has no circles: by rule, under concurrency, and by the database."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from accounts_world import World, make_world, stored
from django.db import DatabaseError, connection, transaction

from counterfoil.accounts.models import Account
from counterfoil.accounts.queries import ancestors, height_of
from counterfoil.accounts.rules.inheritance import LEVELS_MAX
from counterfoil.core.errors import Refusal


def tower(world: World, levels: int) -> list[UUID]:
    """Accounts below one another, the top first."""
    found: list[UUID] = []
    for number in range(levels):
        found.append(world.account(f"Level {number}", parent=found[-1] if found else None))
    return found


def test_eight_levels(world: World) -> None:
    """Eight accounts stand below one another, and each knows the way up."""
    levels = tower(world, 8)
    assert ancestors([levels[-1]])[levels[-1]] == levels[::-1]
    assert height_of(levels[0]) == 8


def test_circles_are_refused(world: World) -> None:
    """An account cannot be its own parent, nor hang below one of its own, however far down."""
    levels = tower(world, 6)
    for above, below in ((levels[0], levels[0]), (levels[0], levels[1]), (levels[0], levels[5])):
        with pytest.raises(Refusal) as refused:
            world.change(above, parent=below)
        assert (refused.value.status, refused.value.code, refused.value.field) == (422, "circle", "parent")
        assert stored(above).parent_id is None
    world.change(levels[5], parent=levels[0])
    assert stored(levels[5]).parent_id == levels[0]


def test_towers_end(world: World) -> None:
    """A branch cannot grow past the limit, neither by adding nor by moving it."""
    levels = tower(world, LEVELS_MAX)
    with pytest.raises(Refusal) as refused:
        world.account("One more", parent=levels[-1])
    assert (refused.value.code, refused.value.field) == ("too_deep", "parent")
    top = world.account("Above all")
    with pytest.raises(Refusal):
        world.change(levels[0], parent=top)
    assert stored(levels[0]).parent_id is None
    assert Account.objects.count() == LEVELS_MAX + 1


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_make_no_circle() -> None:
    """Moving each of two accounts below the other at the same moment: one is moved, the other refused."""
    world = make_world()
    for _ in range(8):
        one, two = world.account("One"), world.account("Two")
        start = threading.Barrier(2)
        outcomes: list[str] = []

        def move(account_id: UUID, parent: UUID) -> None:
            start.wait()  # noqa: B023 - both threads end within this round
            try:
                world.change(account_id, parent=parent)
                outcomes.append("moved")  # noqa: B023
            except Refusal as refused:
                outcomes.append(refused.code)  # noqa: B023
            finally:
                connection.close()

        threads = [threading.Thread(target=move, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["circle", "moved"]


def test_the_database_refuses_a_circle(world: World) -> None:
    """Bare SQL past every command cannot make a circle, whether in one statement or in several."""
    levels = tower(world, 3)
    for statement, values in (
        ("UPDATE accounts_account SET parent_id = %s WHERE id = %s", [levels[2], levels[0]]),
        (
            "UPDATE accounts_account SET parent_id = CASE id WHEN %s THEN %s::uuid ELSE %s::uuid END "
            "WHERE id IN (%s, %s)",
            [levels[0], levels[1], levels[0], levels[0], levels[1]],
        ),
    ):
        with pytest.raises(DatabaseError, match="circle"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
    assert [stored(one).parent_id for one in levels] == [None, levels[0], levels[1]]


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_a_circle_of_two_transactions() -> None:
    """Two transactions of bare SQL that would make a circle together wait for each other, and one of them fails."""
    world = make_world()
    one, two = world.account("One"), world.account("Two")
    first_is_set = threading.Event()
    failures: list[str] = []

    def first() -> None:
        with transaction.atomic():
            Account.objects.filter(pk=one).update(parent=two)
            first_is_set.set()
            threading.Event().wait(0.3)
        connection.close()

    def second() -> None:
        first_is_set.wait(10)
        try:
            Account.objects.filter(pk=two).update(parent=one)
        except DatabaseError as error:
            failures.append(str(error).splitlines()[0])
        connection.close()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == ["the parents of an account make a circle"]
    assert (stored(one).parent_id, stored(two).parent_id) == (two, None)
