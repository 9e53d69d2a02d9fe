"""What `python -m tarm` can do, a function per command; each takes the parsed arguments."""

from .chapters import command_figures, command_notebooks, command_site, command_test
from .keeping import command_export, command_list, command_merge, command_rm
from .measuring import command_bench
from .models import command_evaluate, command_generate, command_ladder
from .published import command_check_records, command_verdict
from .training import command_sweep, command_train
