"""Times as captions and chapter comments write them."""


def clock(seconds: float) -> str:
    """Return a time as `hours:minutes:seconds.milliseconds`, such as `01:02:03.450`."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
