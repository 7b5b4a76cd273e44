"""The two functions of a bus module that `lightbus run` calls."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from types import ModuleType

from lightbus.cli.running.user_error import user_error
from lightbus.listening.threads import DaemonThreads
from lightbus.logs import log

BEFORE_START = "before_server_start"
AFTER_STOP = "after_server_stopped"


async def call_hook(module: ModuleType, name: str) -> None:
    """Call a function of the module, if it has it. A sync function runs in a thread, as it may block.

    Raises:
        LightbusError: the hook raised; the message says where.
    """
    hook = getattr(module, name, None)
    if hook is None:
        return
    log.info("calling %s()", name)
    is_async = inspect.iscoroutinefunction(hook)
    try:
        if is_async:
            await hook()
            return
        thread = DaemonThreads(1, name)
        context = contextvars.copy_context()
        try:
            result = await asyncio.get_running_loop().run_in_executor(thread, context.run, hook)
        finally:
            thread.shutdown()
        if inspect.isawaitable(result):
            await result
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # this task is being cancelled, by a signal
        call = f"{module.__name__}.{name}()"
        reproduce = (
            f"import asyncio, {module.__name__} as m; asyncio.run(m.{name}())"
            if is_async
            else f"import {module.__name__} as m; m.{name}()"
        )
        raise user_error(call, error, reproduce=reproduce) from error
