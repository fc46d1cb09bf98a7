// What a C# script has as `State`. Loaded before the script.
//
// State.Input                    the node's input, a JsonElement; State.InputAs<T>() reads it as a type of yours
// State.Variables["name"]        the instance's variables, JsonElements
// State.Set("name", value)       sets a variable
// State.Output = value           the node's output
// State.Progress(percent, text)

#nullable enable
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;

public static class State
{
    static string Path(string name) => Environment.GetEnvironmentVariable("MAINSPRING_" + name)!;

    public static JsonElement Input { get; } = JsonDocument.Parse(File.ReadAllText(Path("INPUT"))).RootElement;

    public static Dictionary<string, JsonElement> Variables { get; } =
        JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllText(Path("VARIABLES")))!;

    public static T? InputAs<T>() =>
        Input.Deserialize<T>(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    public static object? Output
    {
        set => File.WriteAllText(Path("OUTPUT"), JsonSerializer.Serialize(value));
    }

    public static void Set(string name, object? value)
    {
        Variables[name] = JsonSerializer.SerializeToElement(value);
        File.WriteAllText(Path("VARIABLES"), JsonSerializer.Serialize(Variables));
    }

    public static void Progress(double percent, string text = "") =>
        File.AppendAllText(Path("PROGRESS"), JsonSerializer.Serialize(new { percent, text }) + "\n");
}
