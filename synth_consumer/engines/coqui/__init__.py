"""Models of coqui-tts, the only home of torch and TTS. What has to be done before TTS is imported is done here.

The package's own chatter goes: it would show each sentence, and a traceback where we say it in one line.
"""

import logging
import sys
from importlib.util import find_spec
from types import ModuleType

_missing = [name for name in ("torch", "torchaudio", "torchcodec", "transformers", "TTS") if find_spec(name) is None]
if _missing:
    raise ImportError(f"no {' or '.join(_missing)} here; the extra coqui is needed: pip install '.[synth,coqui]'")


def _import_torchaudio() -> None:
    """Import torchaudio without its compiled extension where that does not fit torch, such as a build for the CPU.

    The extension aligns text and speech; what TTS uses (resampling, spectrograms) is Python.
    """
    try:
        import torchaudio  # noqa: F401, PLC0415 - the attempt is the point
    except (OSError, RuntimeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        extension = ModuleType("torchaudio._extension")
        vars(extension).update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, fail_if_no_align=lambda function: function)
        sys.modules[extension.__name__] = extension


_import_torchaudio()
logging.getLogger("TTS").setLevel(logging.ERROR)
logging.getLogger("TTS.utils.manage").setLevel(logging.CRITICAL)
