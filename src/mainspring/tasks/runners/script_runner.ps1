# Runs one PowerShell script with $state. The script's own file is the first argument, its arguments follow.
#
# $state.input       the node's input
# $state.variables   the instance's variables; what is changed is set when the script ends well
# $state.output      assign it: the node's output
# $state.progress(percent, text)
#
# `return` ends the script well; `exit N` ends it at once, with nothing saved.
param([Parameter(Mandatory)][string]$MainspringFile, [Parameter(ValueFromRemainingArguments)][string[]]$MainspringArguments)

$ErrorActionPreference = 'Stop'
$MainspringUtf8 = [System.Text.UTF8Encoding]::new($false)
$MainspringUnset = [object]::new()

function Read-MainspringFile([string]$Name) {
    $text = [System.IO.File]::ReadAllText([Environment]::GetEnvironmentVariable($Name), $MainspringUtf8)
    return ConvertFrom-Json -InputObject $text -NoEnumerate
}

function Write-MainspringFile([string]$Name, $Value) {
    $text = if ($null -eq $Value) { 'null' } else { ConvertTo-Json -InputObject $Value -Depth 100 -Compress }
    [System.IO.File]::WriteAllText([Environment]::GetEnvironmentVariable($Name), $text, $MainspringUtf8)
}

$state = [pscustomobject]@{
    input     = Read-MainspringFile 'MAINSPRING_INPUT'
    variables = Read-MainspringFile 'MAINSPRING_VARIABLES'
    output    = $MainspringUnset
}
Add-Member -InputObject $state -MemberType ScriptMethod -Name progress -Value {
    param($Percent, $Text = '')
    $line = ConvertTo-Json -InputObject @{ percent = $Percent; text = "$Text" } -Compress
    [System.IO.File]::AppendAllText($env:MAINSPRING_PROGRESS, $line + "`n")
}
$MainspringBefore = ConvertTo-Json -InputObject $state.variables -Depth 100 -Compress

try {
    . $MainspringFile @MainspringArguments
    if (-not [object]::ReferenceEquals($state.output, $MainspringUnset)) {
        Write-MainspringFile 'MAINSPRING_OUTPUT' $state.output
    }
    if ((ConvertTo-Json -InputObject $state.variables -Depth 100 -Compress) -cne $MainspringBefore) {
        Write-MainspringFile 'MAINSPRING_VARIABLES' $state.variables
    }
}
catch {
    # The place first, then the error itself: the last line on stderr is the error's message.
    [Console]::Error.WriteLine($_.ScriptStackTrace)
    [Console]::Error.WriteLine("$($_.Exception.GetType().Name): $(($_.Exception.Message -split '\r?\n') -join ' ')")
    exit 1
}
